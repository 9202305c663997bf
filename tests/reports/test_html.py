"""Nothing that a caller hands over can become markup, and the page carries everything itself."""

from html.parser import HTMLParser

from ganglion.reports.html import Markup, card, escape, facts, image, legend, page, table, tag, warn_box, write_page

HOSTILE = '<script>alert(\'x\')</script>"><img src=x onerror="y">&amp;'


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += [key for key, _ in attributes]

    def handle_data(self, data):
        self.text.append(data)


def parse(text):
    parser = Elements()
    parser.feed(text)
    return parser


def test_hostile_text_stays_text_everywhere():
    pieces = [
        tag("p", HOSTILE, title=HOSTILE),
        table((HOSTILE,), [(HOSTILE,)]),
        facts({HOSTILE: HOSTILE}),
        legend([(HOSTILE, "red")]),
        card(HOSTILE, HOSTILE, caption=HOSTILE),
        image(b"png", HOSTILE),
    ]
    found = parse(page(HOSTILE, *pieces, badge=HOSTILE))
    assert "script" not in found.tags
    assert "onerror" not in found.attributes
    assert found.tags.count("img") == 1
    # title, heading, badge; one in <p>; two each in table and facts; one in the legend; three in the card
    assert found.text.count(HOSTILE) == 12


def test_markup_is_not_escaped_twice():
    assert escape(escape("<")) == "&lt;"
    assert isinstance(escape("a"), Markup)


def test_attribute_names():
    assert tag("i", class_="a", stroke_width=2) == '<i class="a" stroke-width="2"></i>'


def test_empty_facts_are_left_out():
    assert "seed" not in facts({"seed": "", "epochs": 0})
    assert "epochs" in facts({"seed": "", "epochs": 0})


def test_page_follows_light_and_dark():
    text = page("t")
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_write_page_leaves_only_the_page(tmp_path):
    write_page(tmp_path / "new" / "report.html", "one")
    write_page(tmp_path / "new" / "report.html", "two")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]
    assert (tmp_path / "new" / "report.html").read_text() == "two"


def test_the_browser_may_fetch_nothing_and_run_nothing():
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'content="{policy}"' in page("a")
    assert f"{policy}; script-src 'unsafe-inline'" in page("a", scripts=True)


def test_a_box_for_what_has_to_be_known():
    assert parse(warn_box(HOSTILE, [(HOSTILE, HOSTILE)])).tags == ["aside", "h2", "p", "b"]
    assert "<code>ganglion data check</code> &lt;" in warn_box("a", [("b", "look with `ganglion data check` <")])
    assert warn_box("a", []) == ""
