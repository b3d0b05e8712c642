// What axe misses in the theme: keyboard access of what scrolls, the name of
// the search, and names that tell one list of navigation from another.
function mend() {
  const scrolled = '.md-typeset__scrollwrap, pre > code, .highlight-ipynb, .highlight-ipynb pre';
  for (const box of document.querySelectorAll(scrolled)) box.tabIndex = 0;
  document.querySelector('.md-search')?.setAttribute('aria-label', 'Search');
  document.querySelectorAll('.md-nav .md-nav').forEach((nav, number) => {
    const title = nav.querySelector('.md-nav__title')?.textContent.trim() ?? '';
    nav.removeAttribute('aria-labelledby');
    nav.setAttribute('aria-label', `${title} ${number + 1}`);
  });
  document.querySelectorAll('.md-code__nav').forEach((nav, number) => {
    nav.setAttribute('aria-label', `Code ${number + 1}`);
  });
}
document$.subscribe(() => requestAnimationFrame(mend));
window.addEventListener('load', mend);
