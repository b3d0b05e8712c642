(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const form = document.querySelector('#filters');
  if (form) {
    form.hidden = false;
    const cards = all('#gallery > li');
    const count = document.querySelector('#shown');
    const more = document.querySelector('#more');
    const step = 24;
    let limit = step;
    const choose = () => {
      const want = Object.fromEntries(new FormData(form));
      let fit = 0;
      for (const card of cards) {
        const data = card.dataset;
        const fits = ['kind', 'level', 'truth'].every((key) => !want[key] ||
          JSON.parse(data[key]).includes(want[key]));
        const became = data.states.split(' ').some((pair) => {
          const [model, state] = pair.split('-');
          return (!want.model || model === want.model) && (!want.state || state === want.state);
        });
        fit += fits && became;
        card.hidden = !(fits && became && fit <= limit);
        for (const part of all('[data-model]', card)) {
          part.classList.toggle('off', part.dataset.model !== (want.model || '0'));
        }
      }
      count.textContent = `${Math.min(fit, limit)} of ${fit} pictures`;
      more.hidden = fit <= limit;
    };
    form.addEventListener('input', () => { limit = step; choose(); });
    more.addEventListener('click', () => { limit += step; choose(); });
    form.addEventListener('submit', (event) => event.preventDefault());
    choose();
  }
  const table = document.querySelector('#classes table');
  if (table) {
    const body = table.tBodies[0];
    const limit = Number(table.dataset.limit);
    const box = document.querySelector('#class-search');
    const more = document.querySelector('#class-more');
    const found = document.querySelector('#class-count');
    let whole = false;
    const list = () => {
      const word = box.value.trim().toLowerCase();
      const rows = [...body.rows];
      let fits = 0;
      for (const row of rows) {
        const good = row.cells[0].textContent.toLowerCase().includes(word);
        fits += good;
        row.hidden = !good || (!whole && fits > limit);
      }
      const shown = whole ? fits : Math.min(fits, limit);
      found.textContent = `${shown} of ${fits} classes${word ? ' found' : ''}`;
      more.hidden = rows.length <= limit;
      more.textContent = whole ? `Show ${limit} only` : `Show all ${rows.length}`;
      more.setAttribute('aria-expanded', whole);
    };
    more.addEventListener('click', () => { whole = !whole; list(); });
    box.addEventListener('input', list);
    document.querySelector('#class-tools').hidden = false;
    all('thead th', table).forEach((head, place) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') !== 'descending';
        all('thead th', table).forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        const key = (row) => {
          const text = row.cells[place].textContent.trim();
          return place ? (text === '-' ? -Infinity : Number(text)) : text;
        };
        const sign = down ? -1 : 1;
        const rows = [...body.rows].map((row) => [key(row), row]);
        rows.sort(([a], [b]) => sign * (place ? a - b || 0 : -a.localeCompare(b)));
        body.append(...rows.map(([, row]) => row));
        list();
      });
    });
    list();
  }
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = all('details:not([open])');
    closed.forEach((part) => { part.open = true; });
  });
  addEventListener('afterprint', () => closed.forEach((part) => { part.open = false; }));
})();
