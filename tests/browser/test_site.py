"""The site: built without a warning, whole, read from the disk, in a browser on a desk and on a phone."""

import pytest

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
build_site = pytest.importorskip("build_site", reason="the extra `docs` is not installed")
PAGES = ["index", "docs/own_data", "docs/choose_a_method", "docs/segan_transfer", "docs/errors", "reference/networks"]


def test_the_site(request, tmp_path):
    """One test, so that the site is built once however the tests are shared out."""
    assert build_site.build_site(tmp_path / "site") == []
    site = tmp_path / "site"
    every_document_is_a_page(site)
    show = request.getfixturevalue("show")  # from here on it wants a browser
    for name in PAGES:
        a_page_fits_a_desk_and_a_phone_and_asks_nobody(show, site / f"{name}.html")
    the_search_finds_from_the_disk(show, site / "index.html")


def every_document_is_a_page(site):
    for document in build_site.repository_pages():
        page = document.relative_to(build_site.ROOT).with_suffix(".html")
        if document.name == "README.md":
            page = page.with_name("index.html")
        assert (site / page).is_file(), document
    assert (site / "reference" / "engines.handlers.html").read_text().count("TrainingRun") > 3
    assert "training diverged in epoch" in (site / "reference" / "messages.html").read_text()
    assert "ganglion data convert" in (site / "reference" / "command_line.html").read_text()


def a_page_fits_a_desk_and_a_phone_and_asks_nobody(show, path):
    for width in (1280, 400):
        page, errors, requests = show(path, width)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.inner_text("h1")
        assert (errors, requests) == ([], [])


def the_search_finds_from_the_disk(show, path):
    page, errors, requests = show(path)
    page.click(".md-search__input")
    page.keyboard.type("hospital archive")
    first = page.wait_for_selector(".md-search-result__link", timeout=20_000)
    assert "own_data.html" in page.inner_html(".md-search-result__list")
    assert first.get_attribute("href").startswith("file:")
    assert (errors, requests) == ([], [])


def test_faults_are_seen(tmp_path):
    check_site = build_site.check_site
    (tmp_path / "a.html").write_text(
        '<script src="https://elsewhere.example/x.js"></script><a href="b.html#gone">b</a><a href="c.html">c</a>'
        '<img src="none.png"><a href="https://elsewhere.example">a reference</a>'
    )
    (tmp_path / "b.html").write_text('<h2 id="here">b</h2>')
    (tmp_path / "x.css").write_text("@import url(//elsewhere.example/font.css); svg {x: url(#a)}")
    assert check_site.faults(tmp_path) == [
        "a.html: loads https://elsewhere.example/x.js",
        "a.html: loads none.png, which is not there",
        "a.html: b.html#gone leads nowhere",
        "a.html: c.html leads nowhere",
        "x.css: loads //elsewhere.example/font.css",
    ]
