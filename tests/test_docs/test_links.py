"""Links and anchors of the pages lead somewhere; the site names each page."""

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import ROOT

DOCS = ROOT / 'docs'
if not DOCS.is_dir():
    pytest.skip('docs are not there', allow_module_level=True)
# Folders of tools and of runs, which hold pages of others.
FOREIGN = {'build', 'data', 'dist', 'work_dirs', 'node_modules'}
FENCE = re.compile(r'^ *(```+|~~~+).*?^ *\1', re.MULTILINE | re.DOTALL)
CODE = re.compile(r'(`+).+?\1', re.DOTALL)
LINK = re.compile(r']\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)')
HEADING = re.compile(r'^#{1,6} +(.+?) *#* *$', re.MULTILINE)


def pages():
    """Return all pages of the repository, without those of environments."""
    found = sorted(ROOT.glob('*.md'))
    for folder in sorted(ROOT.iterdir()):
        hidden = folder.name.startswith('.') and folder.name != '.github'
        if folder.is_dir() and not hidden and folder.name not in FOREIGN:
            found += sorted(folder.rglob('*.md'))
    found = [p for p in found if '.mim' not in p.parts]
    return found + sorted(DOCS.rglob('*.ipynb'))


def text_of(path):
    """Return a page, or the pages of a notebook, without its code blocks."""
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.ipynb':
        cells = json.loads(text)['cells']
        prose = [c['source'] for c in cells if c['cell_type'] == 'markdown']
        text = '\n\n'.join(''.join(source) for source in prose)
    return FENCE.sub('', text)


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    words = re.sub(r'!?\[([^]]*)]\([^)]*\)', r'\1', heading)
    words = re.sub(r'[*`]|<[^>]+>', '', words).strip().lower()
    return re.sub(r'[^\w\- ]', '', words).replace(' ', '-')


def anchors(path):
    """Return all anchors of a page: repeated headings are numbered."""
    counts, found = Counter(), set()
    for heading in HEADING.findall(text_of(path)):
        name = slug(heading)
        number = counts[name]
        found.add(f'{name}-{number}' if number else name)
        counts[name] += 1
    return found


def broken_links(path, root=ROOT):
    """Return a page's links that lead nowhere, each with the reason."""
    broken = []
    for link in LINK.findall(CODE.sub('', text_of(path))):
        if re.match(r'[a-z]+:', link):
            continue
        name, _, anchor = link.partition('#')
        target = (path.parent / unquote(name)).resolve() if name else path
        if not target.is_relative_to(root):
            broken.append(f'{link}: outside of the repository')
        elif not target.exists():
            broken.append(f'{link}: no such file')
        elif anchor and target.suffix != '.md':
            broken.append(f'{link}: only pages have anchors')
        elif anchor and anchor not in anchors(target):
            broken.append(f'{link}: no such heading')
    return broken


@pytest.mark.parametrize(
    'path', pages(), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_every_link_of_a_page_leads_to_a_file_or_a_heading(path):
    assert not broken_links(path)


def test_a_broken_link_is_found(tmp_path):
    page, other = tmp_path / 'a.md', tmp_path / 'b.md'
    other.write_text('# One, `two`\n\n## Same\n\n```\n# no\n```\n## Same\n')
    page.write_text(
        '[1](b.md) [2](b.md#one-two) [3](b.md#same-1) [4](#here) [5](c.md)\n'
        '[6](b.md#no) [7](../x.md) [8](https://a.org/#x) ![9](no.png)\n'
        '`[10](d.md)`\n```\n[11](d.md)\n```\n# Here\n'
    )
    assert [
        line.partition(':')[0] for line in broken_links(page, tmp_path)
    ] == [
        'c.md',
        'b.md#no',
        '../x.md',
        'no.png',
    ]


@pytest.mark.parametrize(
    ('heading', 'anchor'),
    [
        ('SMD and ROD: occluded tests', 'smd-and-rod-occluded-tests'),
        ('`in_channels`', 'in_channels'),
        ('L1-L3, and more', 'l1-l3-and-more'),
        ('A [link](x.md) here', 'a-link-here'),
    ],
)
def test_anchors_are_those_of_github(heading, anchor):
    assert slug(heading) == anchor


def named(entry):
    """Yield the pages that an entry of the navigation names."""
    if isinstance(entry, str):
        yield entry
        return
    parts = entry.values() if isinstance(entry, dict) else entry
    for part in parts:
        yield from named(part)


def test_the_site_names_every_page_once():
    yaml = pytest.importorskip('yaml')
    config = yaml.safe_load((ROOT / 'mkdocs.yml').read_text(encoding='utf-8'))
    nav = list(named(config['nav']))
    assert not [name for name, n in Counter(nav).items() if n > 1]
    inside = {
        path.relative_to(DOCS).as_posix()
        for path in pages()
        if path.is_relative_to(DOCS)
    }
    missing = inside - set(nav)
    assert not missing, f'add to nav in mkdocs.yml: {sorted(missing)}'
    built = {name for name in nav if name.startswith('api/')}
    others = set(nav) - inside - built
    lost = [name for name in others if not (ROOT / name).is_file()]
    assert not lost
    readmes = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / 'configs').glob('*/README.md')
    }
    assert readmes <= others


def test_paths_of_the_site_exist():
    yaml = pytest.importorskip('yaml')
    config = yaml.safe_load((ROOT / 'mkdocs.yml').read_text(encoding='utf-8'))
    for name in config['hooks']:
        assert Path(ROOT, name).is_file(), name
    for name in config['extra_css']:
        assert Path(DOCS, name).is_file(), name
