"""Looks at the live page of a device that has faults, and whose model's labels are markup: headless Chromium, as in browser.py.

Asserts that labels are text wherever they stand, that nothing in them runs or is fetched, and that a fault is said with its mend
as long as it holds and no longer.

    python3 tests/page/strangers.py CHROMIUM ADDRESS LABEL...

Says `ready` before each thing that it waits for, and goes on with a line: whoever started it lets the device tell that thing.
"""

from __future__ import annotations

import json
import sys
import tempfile

from browser import DESK, PHONE, Browser, check_manners

# Of the page itself: its icon, and its one script.
OWN_IMAGES, OWN_SCRIPTS = 1, 1


def step() -> list[str]:
    """Lets the device go on; what it is about to tell."""
    print("ready", flush=True)
    return sys.stdin.readline().rstrip("\n").split("|")


def text(browser: Browser, id: str) -> str:
    return browser.ask(f"document.getElementById('{id}').textContent")


def check_labels_are_text(browser: Browser, shown: str, labels: list[str]) -> None:
    quoted = json.dumps(shown)
    browser.until(f"document.getElementById('genre').textContent === {quoted}", f"the genre {shown}")
    names = browser.ask("[...document.querySelectorAll('#chances .name')].map((name) => name.textContent)")
    assert names == labels, f"{names} are not {labels}"
    browser.until(f"[...document.querySelectorAll('#changes li')].some((li) => li.textContent.includes({quoted}))", "a change")
    assert shown in browser.ask("document.title")
    check_nothing_ran(browser)


def check_nothing_ran(browser: Browser) -> None:
    """What a label would have done as markup."""
    assert browser.ask("document.images.length") == OWN_IMAGES
    assert browser.ask("document.scripts.length") == OWN_SCRIPTS
    assert browser.ask("typeof globalThis.ran") == "undefined"
    assert browser.ask("document.querySelectorAll('body b').length <= 2"), "bold is what the page makes bold itself"
    asked = [event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    assert not any(url.endswith("/x") for url in asked), asked


def look(browser: Browser, address: str, labels: list[str]) -> None:
    browser.show(DESK, "dark")
    # What a label calls if it can.
    browser.send("Page.addScriptToEvaluateOnNewDocument", source="window.q = () => { window.ran = true; };")
    browser.send("Page.navigate", url=address)
    browser.until("document.body?.dataset.link === 'live'", "a live connection")
    for _ in labels:
        (shown,) = step()
        check_labels_are_text(browser, shown, labels)
    for screen in (DESK, PHONE):
        browser.show(screen, "light")
        name, sentence, mend = step()
        browser.until(f"document.getElementById('genre').textContent === {json.dumps(name.replace('-', ' '))}", name)
        assert browser.ask("document.body.dataset.state") == "fault"
        browser.until("!document.getElementById('notice').hidden", "a notice")
        notice = text(browser, "notice")
        assert sentence in notice and mend in notice, f"{notice} says not {sentence} and {mend}"
        assert browser.ask("document.getElementById('notice').getBoundingClientRect().height > 20"), "it can be seen"
        assert browser.ask("document.querySelector('#changes li').textContent").endswith("fault")
        wide = browser.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{screen}: {wide} pixels too wide"
        check_nothing_ran(browser)
    (shown,) = step()
    check_labels_are_text(browser, shown, labels)
    assert browser.ask("document.getElementById('notice').hidden"), "a fault that is mended is no longer shown"
    check_manners(browser, address)


def main(program: str, address: str, *labels: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            look(browser, address, list(labels))
        finally:
            browser.close()
    print("good", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
