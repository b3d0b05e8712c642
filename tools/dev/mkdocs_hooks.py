"""What ``mkdocs build`` needs to know of the repository.

The pages are read on a repository's host as well, so their links are those of
the repository. Here the site gets

- the pages outside of ``docs``: READMEs of ``configs``, the changelog, ...;
- pages of the API, from the docstrings, without an import;
- links that fit: between pages as they are, to other files of the repository
  by the address of its host (GitHub's variables have it), else as plain text.
"""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ('CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md')
LINK = re.compile(r'(!?)\[((?:[^][]|\[[^]]*])*)]\(([^()\s]+)\)')
HREF = re.compile(r'href="([^"#:]+)(#[^"]*)?"')
CELL = re.compile(r'<td.*?</td>', re.DOTALL)
ROLE = re.compile(r':(?:mod|class|func|meth|attr|data|exc):<code>~?')
FENCE = re.compile(r'^(```|~~~).*?^\1\s*$', re.MULTILINE | re.DOTALL)
API = {  # of each page: title; folders of the package, or full names
    'mmocc': (
        'Report, LEARN, trained models, photos',
        [
            'mmocc.apis.occlusion_report.occlusion_report',
            'mmocc.apis.report_result.OcclusionReport',
            'learn',
            'zoo',
            'apis',
        ],
    ),
    'transforms': ('Transforms without mm', ['transforms']),
    'occlusion': ('The occlusion core', ['occlusion']),
    'learn': ('LEARN', ['models/learn', 'models/backbones']),
    'hide_and_seek': ('Hide-and-Seek', ['models/hide_and_seek']),
    'dea': ('DEA', ['models/dea']),
    'ofer': ('Latent-OFER', ['models/ofer']),
    'datasets': ('Data sets and steps of pipelines', ['datasets']),
    'evaluation': ('Metrics', ['evaluation']),
    'engine': ('Hooks and optimizer constructors', ['engine', 'report']),
}


def repository() -> str | None:
    """Return the repository's address where GitHub builds, else None."""
    server = os.environ.get('GITHUB_SERVER_URL')
    name = os.environ.get('GITHUB_REPOSITORY')
    return f'{server}/{name}' if server and name else None


def outside_pages() -> list[str]:
    """Return the pages outside of ``docs``, as paths in the repository."""
    methods = sorted((ROOT / 'configs').glob('*/README.md'))
    return [*OUTSIDE, *(path.relative_to(ROOT).as_posix() for path in methods)]


def on_config(config: Any) -> Any:
    """Anchors are those of GitHub; the address is known where it is."""
    config['mdx_configs'].setdefault('toc', {})['slugify'] = slugify(
        case='lower'
    )
    config['repo_url'] = repository()
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages outside of ``docs``, and those of the API."""
    for name in outside_pages():
        files.append(File.generated(config, name, abs_src_path=ROOT / name))
    for name, text in api_pages().items():
        files.append(File.generated(config, f'api/{name}.md', content=text))
    return files


def source_of(file: Any) -> PurePosixPath:
    """Return a page's path in the repository."""
    name = file.src_uri
    return PurePosixPath(name if name in outside_pages() else f'docs/{name}')


def site_path(target: str) -> str | None:
    """Return the path in the site of a file of the repository.

    Args:
        target: Its path in the repository; of a folder, its README is meant.
    """
    if target in ('README.md', '.'):
        return 'README.md'
    readme = f'{target}/README.md'
    if (ROOT / target).is_dir() and (ROOT / readme).is_file():
        target = readme
    if target.startswith('docs/') and (ROOT / target).is_file():
        return target.removeprefix('docs/')
    return target if target in outside_pages() else None


def relink(markdown: str, file: Any) -> str:
    """Return a page with links that hold in the site."""
    here = source_of(file).parent
    start = PurePosixPath(file.src_uri).parent

    def replace(match: re.Match) -> str:
        mark, words, link = match.groups()
        path, hash_mark, anchor = link.partition('#')
        if not path or re.match(r'\w+:', path):
            return match.group()
        target = os.path.normpath(here / path)
        inside = site_path(PurePosixPath(target).as_posix())
        if inside is not None:
            link = os.path.relpath(inside, start) + hash_mark + anchor
            return f'{mark}[{words}]({link})'
        if not (ROOT / target).exists():
            return match.group()  # the build names it
        address = repository()
        return f'[{words}]({address}/blob/main/{target})' if address else words

    def outside_fences() -> Iterator[str]:
        place = 0
        for fence in FENCE.finditer(markdown):
            yield LINK.sub(replace, markdown[place : fence.start()])
            yield fence.group()
            place = fence.end()
        yield LINK.sub(replace, markdown[place:])

    return ''.join(outside_fences())


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Mend the links of a page of the repository."""
    if page.file.src_uri.startswith('api/'):
        return markdown
    return relink(markdown, page.file)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Mend a notebook's links, whose HTML has those of its cells.

    Sphinx's roles in docstrings become plain code. In tables, a number and
    its spread stay in one line.
    """
    if page.file.src_uri.startswith('api/'):
        return ROLE.sub(r'<code>', html)
    if not page.file.src_uri.endswith('.ipynb'):
        return CELL.sub(
            lambda cell: cell.group().replace(' ± ', '\u00a0±\u00a0'), html
        )
    folder = PurePosixPath(page.file.src_uri).parent

    def replace(match: re.Match) -> str:
        path, anchor = match.group(1), match.group(2) or ''
        other = files.get_file_from_path(os.path.normpath(folder / path))
        if other is None:
            return match.group()
        return f'href="{other.url_relative_to(page.file)}{anchor}"'

    return HREF.sub(replace, html)


def api_pages() -> dict[str, str]:
    """Return the pages of the API by name: directives for mkdocstrings."""
    rows = [
        '# API',
        'What the docstrings say. In a config, a registered class is named '
        'with its prefix: `mmocc.LEARN`.\n',
        '| page | holds |',
        '|---|---|',
    ]
    pages = {}
    for name, (title, folders) in API.items():
        paths = [path for folder in folders for path in public_names(folder)]
        directives = [f'::: {path}\n' for path in paths]
        pages[name] = '\n'.join([f'# {title}\n', *directives])
        names = ', '.join(f'`{path.rsplit(".", 1)[1]}`' for path in paths)
        rows.append(f'| [{title}]({name}.md) | {names} |')
    return {'README': '\n'.join([rows[0], '', *rows[1:]]) + '\n', **pages}


def public_names(folder: str) -> Iterator[str]:
    """Yield full names of what a folder of the package gives its users.

    These are classes of a registry, and what its ``__init__.py`` exports.
    """
    if '.' in folder:
        yield folder
        return
    base = ROOT / 'mmocc' / folder
    exported = exports((base / '__init__.py').read_text(encoding='utf-8'))
    for path in sorted(base.rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        module = '.'.join(parts).removesuffix('.__init__')
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                continue
            registered = any(
                'register_module' in ast.unparse(mark)
                for mark in node.decorator_list
            )
            if registered or node.name in exported:
                yield f'{module}.{node.name}'


def exports(text: str) -> set[str]:
    """Return the names that an ``__init__.py`` states as plain strings."""
    return {
        node.value
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
