"""What a report gives back to Python."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmocc.occlusion import CLEAN
from mmocc.report.hit_table import hit_table
from mmocc.report.pairing import why_not_paired
from mmocc.report.summary import CellAnswers, compare
from mmocc.report.tables import TITLES, measured, shown, shown_ends


class OcclusionReport:
    """The numbers of a report, and where its page is.

    Args:
        numbers: As in ``occlusion.json``.
        answers: By model and cell.
        out: Folder of the report.

    Attributes:
        numbers: All numbers, as in ``occlusion.json``.
        measure: ``accuracy``; ``agreement`` with the model's own clean answer
            where the images have no labels.
        html: Path of the page.
    """

    def __init__(
        self, numbers: dict, answers: Mapping[str, CellAnswers], out: Path
    ) -> None:
        self.numbers = numbers
        self.answers = dict(answers)
        self.measure = measured(numbers)
        self.out = out
        self.html = out / 'occlusion.html'

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row of plain values for each model and cell.

        Named ``accuracy``, or ``agreement`` where there are no labels, in
        percent; ``low`` and ``high`` are its 95 % interval, ``spread`` its
        standard deviation over several seeds.
        """
        rows = []
        for model, summary in self.numbers['models'].items():
            for cell, numbers in summary['cells'].items():
                level, _, kind = cell.partition(' ')
                low, high = numbers['interval']
                row = dict(model=model, level=level, kind=kind or 'none')
                row |= {self.measure: numbers['accuracy'], 'low': low}
                row |= dict(
                    high=high,
                    images=numbers['images'],
                    left_out=sum(numbers['left_out'].values()),
                    hidden_share=numbers['hidden_share'],
                    confidence=numbers['confidence'],
                    calibration_error=numbers['calibration_error'],
                    top5=numbers['top5'],
                    aurc=numbers['aurc'],
                    negative_log_likelihood=numbers['negative_log_likelihood'],
                )
                if 'seeds' in self.numbers:
                    row['spread'] = numbers.get('spread')
                rows.append(row)
        return rows

    @property
    def table(self) -> Any:
        """:attr:`rows` as a pandas DataFrame.

        Raises:
            ImportError: Without pandas.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                'report.table needs pandas: pip install pandas (report.rows '
                'has the same rows as plain dicts)'
            ) from error
        return pandas.DataFrame(self.rows)

    def accuracy(
        self,
        level: str = 'L1-L3',
        kind: str | None = None,
        model: str | None = None,
    ) -> float:
        """Return an accuracy in percent; an agreement without labels.

        Args:
            level: ``L0`` to ``L3``, ``L1-L3`` or ``mean``.
            kind: Of occluder; without, the mean over the report's kinds.
            model: Its name; not needed for the only one.

        Raises:
            ValueError: If the report has no such model or cell.
        """
        summary = self.numbers['models'][self._model(model)]
        known = summary['means' if kind is None else 'cells']
        return known[self._cell(level, kind, known)]['accuracy']

    def difference(
        self, ours: str, base: str, level: str = 'L1-L3', kind: str = ''
    ) -> dict[str, Any]:
        """Return how much better one model is than another, in points.

        Both models' answers to the same images are paired.

        Args:
            ours: Name of a model.
            base: Name of the model it is compared with.
            level: As in :meth:`accuracy`.
            kind: As in :meth:`accuracy`.

        Returns:
            ``difference``, its 95 % ``interval``, number of ``images``.

        Raises:
            ValueError: If there is no such model or cell, or the models were
                not tested on the same images.
        """
        one, two = (self.answers[self._model(name)] for name in (ours, base))
        reason = why_not_paired(one, two, self.measure == 'accuracy')
        if reason:
            raise ValueError(f'{ours!r} and {base!r}: {reason}')
        found = compare(hit_table(one), hit_table(two))
        return found[self._cell(level, kind or None, found)]

    def _model(self, name: str | None) -> str:
        """Return the name of a model, or of the only one."""
        names = list(self.answers)
        if name is None and len(names) == 1:
            return names[0]
        if name not in names:
            raise ValueError(f'model {name!r}: choose one of {names}')
        return name

    def _cell(
        self, level: str, kind: str | None, known: Mapping[str, Any]
    ) -> str:
        """Return the name of a cell or mean that is there."""
        name = level if kind is None or level == CLEAN else f'{level} {kind}'
        if name not in known:
            raise ValueError(
                f'the report has no {name!r}; it has {list(known)}'
            )
        return name

    def __repr__(self) -> str:
        """Return the means of all models, and where the page is."""
        means = [
            f'{name} {shown(self.accuracy("mean", model=name))} %'
            for name in self.answers
        ]
        return (
            f'OcclusionReport({self.measure}: {", ".join(means)}; {self.html})'
        )

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        models = self.numbers['models']
        cells = list(next(iter(models.values()))['cells'])
        ends = shown_ends(self.numbers)
        heads = [f'{self.measure}, %', *cells, *ends]
        rows = [''.join(f'<th>{html.escape(head)}</th>' for head in heads)]
        for name, summary in models.items():
            values = [summary['cells'][cell] for cell in cells]
            values += [summary['means'][end] for end in ends]
            row = f'<th>{html.escape(name)}</th>'
            row += ''.join(f'<td>{shown(v["accuracy"])}</td>' for v in values)
            rows.append(row)
        body = ''.join(f'<tr>{row}</tr>' for row in rows)
        title = html.escape(TITLES[self.measure])
        page = html.escape(str(self.html))
        return f'<b>{title}</b><table>{body}</table><p>{page}</p>'
