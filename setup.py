"""Installation of mmocc. Requirements live in ``requirements/*.txt``.

``mim`` and ``mmocc``'s own messages look for configs, tools and requirements
in ``mmocc/.mim``. ``BuildPy`` makes that folder on every path that pip takes:
real files in a wheel (also one built from an sdist), links in the source tree
for an editable installation; there copies where links cannot be made (Windows
without the right to, some file systems).
"""

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FOLDERS = ('configs', 'tools', 'requirements')
MIM_INDEX = 'model-index.yml'  # what `mim search mmocc` reads
# onedl-mim 0.5.1 takes the folder of the first file that pip lists, in sorted
# order, for the package: with a console command, the folder that holds bin. A
# second copy under a name that sorts before it lets `mim train mmocc` work.
FOR_ONEDL_MIM = '+mmocc_mim'
# GitHub's, set in its workflows: where pictures of the README can be seen.
RELEASED_FROM = ('GITHUB_SERVER_URL', 'GITHUB_REPOSITORY')


def read_version() -> str:
    """Return the version without importing the package."""
    text = (ROOT / 'mmocc' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '(.+)'", text).group(1)


def read_requirements(*names: str) -> list[str]:
    """Return the requirements of some ``requirements/*.txt``, each once."""
    lines = [
        line.split('#')[0].strip()
        for name in names
        for line in (ROOT / 'requirements' / f'{name}.txt').open(
            encoding='utf-8'
        )
    ]
    return list(dict.fromkeys(filter(None, lines)))


def repository() -> str | None:
    """Return the repository's address where a release is built, else None."""
    server, name = map(os.environ.get, RELEASED_FROM)
    return f'{server}/{name}' if server and name else None


def read_readme() -> str:
    """Return the README, which an unfinished checkout may lack."""
    readme = ROOT / 'README.md'
    text = readme.read_text(encoding='utf-8') if readme.is_file() else ''
    return for_index(text, repository(), f'v{read_version()}')


def for_index(text: str, address: str | None, tag: str) -> str:
    """Return a README as a package index can show it, far from its files.

    Pictures and links get addresses in the repository at the release's tag.
    Without an address, links become text and pictures are left out.
    """

    def replace(match: re.Match) -> str:
        mark, words, path = match.groups()
        if address is None:
            return '' if mark else words
        kind = 'raw' if mark else 'blob'
        return f'{mark}[{words}]({address}/{kind}/{tag}/{path})'

    return re.sub(r'(!?)\[([^]]*)]\((?!\w+:|#)([^)\s]+)\)', replace, text)


class BuildPy(build_py):
    """Build the package, with the folders that mim looks for in it."""

    def run(self) -> None:
        """Copy the folders into the build, or link them if editable."""
        super().run()
        if self.editable_mode:
            self.fill(ROOT / 'mmocc' / '.mim', link=True)
            return
        for target in ('mmocc/.mim', FOR_ONEDL_MIM):
            self.fill(Path(self.build_lib, target), link=False)

    def fill(self, target: Path, link: bool) -> None:
        """Make ``target`` again."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for folder in MIM_FOLDERS:
            if not (link and self.link(target, folder)):
                shutil.copytree(
                    ROOT / folder,
                    target / folder,
                    ignore=shutil.ignore_patterns('__pycache__', 'dev'),
                )
        if (ROOT / MIM_INDEX).is_file():  # an unfinished checkout may lack it
            shutil.copy(ROOT / MIM_INDEX, target)

    def link(self, target: Path, folder: str) -> bool:
        """Link a folder into ``target``; return whether that works here."""
        try:
            (target / folder).symlink_to(Path('..', '..', folder))
        except OSError as error:
            self.warn(
                f'{folder} is copied into {target}, as links cannot be made '
                f'here ({error}): install again after a change to it'
            )
            return False
        return True


setup(
    name='mmocc',
    version=read_version(),
    description='OpenMMLab plugin: classifiers and detectors that hold up '
    'when part of the object is hidden',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    author='The mmocc maintainers',
    project_urls=({'Source': repository()} if repository() else {})
    | {
        'LEARN': 'https://arxiv.org/abs/2402.06936',
        'Hide-and-Seek': 'https://arxiv.org/abs/1704.04232',
        'DEA': 'https://hal.science/hal-03409930',
        'Latent-OFER': 'https://arxiv.org/abs/2307.11404',
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    license='Apache-2.0',
    keywords='computer vision, occlusion, classification, detection, '
    'robustness, OpenMMLab',
    packages=find_packages(include=['mmocc', 'mmocc.*']),
    package_data={
        'mmocc': ['py.typed'],
        'mmocc.report': ['templates/*'],
        'mmocc.utils': ['imagenet_wnids.txt'],
        'mmocc.zoo': ['*.json', '*.pth'],
    },
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={
        'cls': read_requirements('cls'),
        'det': read_requirements('det'),
        'torch': read_requirements('torch'),
        'all': read_requirements('cls', 'det'),
        'test': read_requirements('tests'),
        'vis': read_requirements('vis'),
        'app': read_requirements('app'),
        'docs': read_requirements('docs'),
    },
    entry_points={'console_scripts': ['mmocc = mmocc.cli:main']},
    cmdclass={'build_py': BuildPy},
    zip_safe=False,
)
