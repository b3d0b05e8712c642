"""The tables of a page, for tests of the report."""

from html.parser import HTMLParser


class Tables(HTMLParser):
    """Read the cells of each table's rows; tags must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tables = [], []

    def handle_starttag(self, tag, attrs):
        if tag in ('meta', 'br', 'img', 'input'):
            return
        self.open.append(tag)
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')

    def handle_startendtag(self, tag, attrs):
        """Pass over what is closed at once: parts of a plot."""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if 'td' in self.open or 'th' in self.open:
            self.tables[-1][-1][-1] += data.strip()
