#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Read the book as a reader would: with a browser, on a phone and on a desk.

browse.py BOOK SCREENS [RACE]

BOOK is the folder with the pages. Opens each at two widths, light and dark;
follows the contents; searches; plays the race by keyboard. Prints what is
wrong, one line each, and ends with 1 if anything was. Pictures for the eye go
to SCREENS. RACE is a JSON file with what mujs found going through all
interleavings; the browser must find the same.

Chromium is driven by Selenium, as Debian has both; axe-core, which knows the rules of
accessible pages, lies beside this file. Starts with Debian's python3, whose packages
they are.
"""
import base64
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import sys
import urllib.parse

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support import expected_conditions
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    sys.exit(f"{sys.executable} has no selenium: vm/setup check-book installs "
             "Debian's python3-selenium, for /usr/bin/python3")

DEADLINE = 60
VIEWS = {"phone": (390, 844, True), "desktop": (1280, 900, False)}
SCHEMES = ("light", "dark")
# Words, and the sections that define them: first in what a search finds
DEFINED = {"hull": "sec-sequence", "mutex": "sec-locks-mutex",
           "grace period": "sec-locks-rcu", "floor": "sec-meas-floor",
           "srcu": "sec-locks-rcu"}

# What a page must be, as seen from inside: a list of complaints
INSPECT = r"""(wide => {
  // wide: a phone's innerWidth would grow with what is too wide
  const bad = [];
  const where = element => {
    const id = element.closest('[id]');
    return element.tagName.toLowerCase() +
      (element.className && element.className.baseVal === undefined ?
       '.' + element.className : '') + (id ? ' in #' + id.id : '') + ' "' +
      (element.textContent || '').trim().replace(/\s+/g, ' ').slice(0, 40) + '"';
  };
  const hidden = element => {
    const box = element.getBoundingClientRect();
    return !box.width || !box.height || box.right <= 0 ||
      getComputedStyle(element).visibility === 'hidden';
  };
  const root = document.documentElement;
  if (root.scrollWidth > wide + 1) {
    const out = [...document.querySelectorAll('body *')].filter(element => {
      const box = element.getBoundingClientRect();
      return box.width && box.right > wide + 1;
    }).slice(0, 3).map(where);
    bad.push(`${root.scrollWidth} pixels wide in a window of ${wide}: ` +
             out.join('; '));
  }
  for (const pre of document.querySelectorAll('pre, .scroll'))
    if (pre.scrollWidth > pre.clientWidth + 1 &&
        !['auto', 'scroll'].includes(getComputedStyle(pre).overflowX))
      bad.push('cut off: ' + where(pre));
  // On a phone, what moves sideways shows that it does; code wraps, and so does a table
  if (wide < 640)
    for (const box of document.querySelectorAll('pre, .scroll')) {
      if (box.scrollWidth <= box.clientWidth + 1) continue;
      if (getComputedStyle(box).backgroundImage === 'none')
        bad.push('goes on to the right and does not show it: ' + where(box));
      if (box.matches('pre:not(.columns)') || box.querySelector('table'))
        bad.push(`${box.scrollWidth - box.clientWidth} pixels must be moved ` +
                 'sideways on a phone: ' + where(box));
    }
  for (const plot of document.querySelectorAll('.curves')) {
    const legend = plot.querySelector('.legend');
    if (wide < 640 && (!legend || hidden(legend) ||
        legend.getBoundingClientRect().right > wide))
      bad.push('curves without a legend on a phone: ' + where(plot));
  }
  for (const image of document.images) {
    if (!image.complete || !image.naturalWidth)
      bad.push('missing image: ' + image.src);
    if (!image.alt) bad.push('image without alternative text: ' + image.src);
  }
  for (const svg of document.querySelectorAll('main svg')) {
    const box = svg.getBoundingClientRect();
    if (box.width < 20 || box.height < 20) bad.push('empty drawing: ' + where(svg));
    if (!svg.getAttribute('aria-label'))
      bad.push('drawing without alternative text: ' + where(svg));
    for (const use of svg.querySelectorAll('use')) {
      const to = use.getAttribute('href') || use.getAttribute('xlink:href');
      if (to && !document.getElementById(to.slice(1)))
        bad.push('a drawing uses what is not there: ' + to);
    }
  }
  const rgba = text => {
    const part = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return part.length < 4 ? [...part.slice(0, 3), 1] : part;
  };
  const light = color => {
    const [r, g, b] = color.map(c => {
      c /= 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 0.5) return color;
    }
    return [255, 255, 255, 1];
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  const seen = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element || hidden(element) ||
        element.closest('script, style, title, desc')) continue;
    const style = getComputedStyle(element);
    const svg = element.closest('svg');
    const color = rgba(svg ? style.fill : style.color);
    const ratio = contrast(color, behind(svg || element));
    const key = color + '|' + behind(svg || element);
    if (ratio < (svg ? 3 : 4.5) && !seen.has(key)) {
      seen.add(key);
      bad.push(`hard to read, contrast ${ratio.toFixed(1)}: ` + where(element));
    }
  }
  for (const shape of document.querySelectorAll(
      'main svg :is(path, line, polyline, polygon, rect, circle, ellipse)')) {
    const style = getComputedStyle(shape), ground = behind(shape.closest('svg'));
    const inks = [style.stroke, style.fill].filter(
      ink => ink.startsWith('rgb') && rgba(ink)[3] > 0.1);
    const key = 'shape ' + inks + ground;
    if (shape.closest('defs, clipPath, mask') || !inks.length || seen.has(key) ||
        inks.some(ink => contrast(rgba(ink), ground) >= 1.2)) continue;
    seen.add(key);
    bad.push(`nobody sees it, ${inks} on ${ground.slice(0, 3)}: ` + where(shape));
  }
  let level = 0;
  for (const heading of document.querySelectorAll('main :is(h1,h2,h3,h4)')) {
    const now = +heading.tagName[1];
    if (now > level + 1 && level) bad.push('a level is left out: ' + where(heading));
    level = now;
  }
  for (const element of document.querySelectorAll('a, button, input'))
    if (!(element.textContent.trim() || element.getAttribute('aria-label') ||
          (element.labels && element.labels.length)))
      bad.push('without a name: ' + element.outerHTML.slice(0, 80));
  for (const element of document.querySelectorAll('[tabindex]'))
    if (element.tabIndex > 0) bad.push('out of order for Tab: ' + where(element));
  return bad;
})(WIDTH)"""

AXE = pathlib.Path(__file__).resolve().parent / "axe" / "axe.min.js"
# A line for each rule that is broken, with the first place
ASK_AXE = """const [rules, done] = arguments;
axe.run(document, { resultTypes: ['violations'], preload: false, ...rules }).then(
  found => done(found.violations.map(rule => `${rule.id} (${rule.impact}): ` +
    `${rule.help}; ${rule.nodes.length} places, the first ` +
    rule.nodes[0].target.join(' '))),
  error => done([String(error)]));"""

PICTURED = {("phone", "light"), ("desktop", "dark")}

# Of the dark, only contrast is asked: nothing else depends on the scheme. On a phone,
# tables become rows with labels of their own, so contrast is asked there, too
CONTRAST = {"runOnly": ["color-contrast"]}
AXE_RULES = {("desktop", "light"): {}, ("desktop", "dark"): CONTRAST,
             ("phone", "light"): {}, ("phone", "dark"): CONTRAST}

LINKS = "[...document.links].map(a => a.href)"


class Browser:
    """Chromium, driven by Selenium."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        for option in ("--headless=new", "--disable-gpu", "--hide-scrollbars",
                       "--no-first-run", "--mute-audio", "--disable-sync",
                       "--disable-background-networking",
                       "--disable-component-update", "--disable-dev-shm-usage",
                       *(["--no-sandbox"] if os.getuid() == 0 else [])):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(DEADLINE)
        self.driver.set_script_timeout(3 * DEADLINE)
        self.width = 0

    def close(self):
        """Let it go."""
        self.driver.quit()

    def call(self, method, **parameters):
        """What WebDriver has no word for."""
        return self.driver.execute_cdp_cmd(method, parameters)

    def run(self, script):
        """The value of a piece of JavaScript."""
        return self.driver.execute_script("return " + script.strip())

    def until(self, script, what):
        """Wait until a piece of JavaScript says yes."""
        WebDriverWait(self.driver, DEADLINE / 2, 0.05).until(
            lambda _: self.run(script), what)

    def view(self, name, scheme):
        """A window of that size, in that scheme."""
        width, height, phone = VIEWS[name]
        self.width = width
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", media="screen", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def inspect(self):
        """What is wrong with the page as it is now."""
        yield from self.run(INSPECT.replace("WIDTH", str(self.width)))

    def ask_axe(self, rules):
        """What axe-core knows of readers who cannot see the page."""
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        for rule in self.driver.execute_async_script(ASK_AXE, rules):
            yield "axe: " + rule

    def open(self, path):
        """Load a page."""
        self.driver.get_log("browser")
        self.driver.get(path.as_uri())

    def follow(self, act):
        """Do what leads to another page, and wait for that."""
        old = self.driver.find_element(By.TAG_NAME, "html")
        act()
        wait = WebDriverWait(self.driver, DEADLINE, 0.05)
        wait.until(expected_conditions.staleness_of(old), "no other page")
        wait.until(lambda _: self.run("document.readyState") == "complete",
                   "a page that does not end")

    def key(self, *keys):
        """Press keys, one after the other."""
        for key in keys:
            name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).upper()
            ActionChains(self.driver).send_keys(
                getattr(Keys, name) if len(key) > 1 else key).perform()

    def complaints(self):
        """What the console has said since the page was opened."""
        for entry in self.driver.get_log("browser"):
            if entry["level"] in ("SEVERE", "WARNING"):
                yield "console: " + entry["message"].split("\n")[0]

    def picture(self, path, of="html", tallest=2600):
        """What the page looks like, or one element of it."""
        box = self.run(f"""(() => {{
            const box = document.querySelector('{of}').getBoundingClientRect();
            return {{ x: box.x + scrollX, y: box.y + scrollY,
                      width: box.width, height: box.height }};
        }})()""")
        data = self.call("Page.captureScreenshot", format="png",
                         captureBeyondViewport=True, clip={
                             **box, "scale": 1,
                             "height": min(box["height"], tallest)})["data"]
        path.write_bytes(base64.b64decode(data))


class Reader:
    """Goes through the book and notes what is wrong."""

    def __init__(self, browser, book, screens):
        self.browser = browser
        self.book = book
        self.screens = screens
        self.problems = []
        self.done = 0
        self.links = {}

    def wrong(self, where, what):
        """Note a problem once."""
        line = f"{where}: {what}"
        if line not in self.problems:
            self.problems.append(line)

    def check(self, where, right, what):
        """One thing that must be so."""
        self.done += 1
        if not right:
            self.wrong(where, what)

    def pages(self):
        """All pages, each in each view and scheme, one view by each browser."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for done in [pool.submit(self.pages_in, view) for view in VIEWS]:
                done.result()

    def pages_in(self, view):
        """All pages in one view, by a browser of its own."""
        browser = Browser()
        try:
            for path in sorted(self.book.glob("*.html")):
                for scheme in SCHEMES:
                    self.page(browser, path, view, scheme)
        finally:
            browser.close()

    def page(self, browser, path, view, scheme):
        """One page: loaded without complaint, nothing too wide or missing."""
        where = f"{path.name} ({view}, {scheme})"
        browser.view(view, scheme)
        browser.open(path)
        for complaint in browser.inspect():
            self.wrong(where, complaint)
        for complaint in browser.complaints():
            self.wrong(where, complaint)
        # All chapters once more in one page would take it minutes
        if path.name != "book.html":
            for complaint in browser.ask_axe(AXE_RULES[view, scheme]):
                self.wrong(where, complaint)
        self.links.setdefault(path.name, browser.run(LINKS))
        self.done += 1
        if (view, scheme) in PICTURED:
            browser.picture(self.screens / f"{path.stem}-{view}-{scheme}.png")

    def targets(self):
        """Does every link within the book lead somewhere?"""
        known = {path.name: set(self.ids(path))
                 for path in self.book.glob("*.html")}
        base = self.book.as_uri() + "/"
        for name, links in self.links.items():
            for link in sorted(set(links)):
                self.done += 1
                if not link.startswith("file:"):
                    if not link.startswith(("https://", "http://")):
                        self.wrong(name, f"a link nobody can follow: {link}")
                    continue
                target, _, part = link.partition("#")
                target = urllib.parse.unquote(target)
                if not target.startswith(urllib.parse.unquote(base)):
                    self.wrong(name, f"a link out of the book: {link}")
                    continue
                target = target[len(urllib.parse.unquote(base)):]
                if not (self.book / target).is_file():
                    self.wrong(name, f"a link to a missing file: {target}")
                elif part and urllib.parse.unquote(part) not in known[target]:
                    self.wrong(name, f"a link to a missing place: {link}")

    @staticmethod
    def ids(path):
        """The identifiers of a page."""
        for piece in path.read_text(encoding="utf-8").split(' id="')[1:]:
            yield piece.split('"', 1)[0]

    def contents(self):
        """Click through the contents, then from page to page."""
        browser = self.browser
        browser.view("desktop", "light")
        browser.open(self.book / "index.html")
        links = browser.run("[...document.querySelectorAll('#contents li > a')]"
                            ".map(a => a.getAttribute('href'))")
        self.check("index.html", links, "the contents are empty")
        for link in links:
            browser.open(self.book / "index.html")
            click = f"document.querySelector('#contents a[href=\"{link}\"]').click()"
            browser.follow(lambda: browser.run(click))  # pylint: disable=cell-var-from-loop
            self.check(link, browser.run(
                "document.querySelector('[aria-current=page]')?.getAttribute("
                "'href')") == link, "the contents do not mark it as current")
        seen = ["index.html"]
        browser.open(self.book / "index.html")
        while browser.run("!!document.querySelector('a[rel=next]')"):
            browser.follow(lambda: browser.run(
                "document.querySelector('a[rel=next]').click()"))
            seen.append(browser.run("location.pathname.split('/').pop()"))
            back = browser.run("document.querySelector('a[rel=prev]')"
                               "?.getAttribute('href')")
            self.check(seen[-1], back == seen[-2],
                       f"\"previous\" leads to {back}, not {seen[-2]}")
            if len(seen) > len(links) + 1:
                break
        self.check("index.html", seen[1:] == links,
                   "\"next\" leads through other pages than the contents")

    def keyboard(self):
        """The first Tab shows the way past the contents; phones get them
        folded."""
        browser = self.browser
        for view in VIEWS:
            browser.view(view, "light")
            browser.open(self.book / "answers.html"
                         if (self.book / "answers.html").exists()
                         else self.book / "index.html")
            browser.key("Tab")
            self.check(f"keyboard ({view})", browser.run(
                "document.activeElement.className === 'skip' && "
                "document.activeElement.getBoundingClientRect().left >= 0"),
                "the first Tab does not show the skip link")
            browser.key("Enter")
            browser.until("location.hash === '#text'",
                          "the skip link does not lead to the text")
            is_open = browser.run("document.querySelector('nav details').open")
            self.check(f"contents ({view})", is_open == (view == "desktop"),
                       "are open on a phone, or closed on a desk")
            browser.key("Tab")
            self.check(f"keyboard ({view})", browser.run(
                "getComputedStyle(document.activeElement).outlineStyle "
                "!== 'none'"), "one does not see where the focus is")

    def search(self):
        """Find something by keyboard alone."""
        browser = self.browser
        for view in VIEWS:
            where = f"search ({view})"
            browser.view(view, "dark")
            browser.open(self.book / "index.html")
            browser.key("/")
            self.check(where, browser.run(
                "document.activeElement.id === 'search'"),
                "the key / does not lead to it")
            browser.key(*"sequence")
            browser.until("document.querySelectorAll('#found li').length > 1",
                          "\"sequence\" is not found twice")
            browser.picture(self.screens / f"search-{view}.png", tallest=900)
            browser.key("ArrowDown")
            wanted = browser.run("document.querySelector('#found "
                                 "[aria-selected=true] a').href")
            self.check(where, browser.run(
                "document.activeElement.getAttribute('aria-activedescendant') "
                "=== document.querySelector('#found [aria-selected=true]').id"),
                "a screen reader is not told what is selected")
            browser.follow(lambda: browser.key("Enter"))
            self.check(where, browser.run("location.href") == wanted,
                       f"Enter does not lead to {wanted}")
            self.check(where, browser.run(
                "!!document.querySelector(':target')"),
                "it leads to a place that is not there")
            for word, place in DEFINED.items():
                self.definition(where, word, place)
            browser.key("/")
            browser.key(*"xyzzyplugh")
            browser.until("document.querySelector('.search .count')"
                          ".textContent === 'Nothing found'",
                          "nonsense is found")
            browser.key("Escape")
            self.check(where, browser.run("document.getElementById('search')"
                                          ".value === ''"),
                       "Escape does not clear it")
            for complaint in browser.complaints():
                self.wrong(where, complaint)

    def definition(self, where, word, place):
        """The section that defines a word comes first, with a sentence of it."""
        browser = self.browser
        browser.run("document.getElementById('search').focus()")
        browser.key(*word)
        browser.until("document.querySelectorAll('#found li').length > 1 && "
                      f"document.querySelector('#found a').href.endsWith('#{place}')",
                      f"\"{word}\": {place} does not come first")
        first = browser.run("document.querySelector('#found a').href.split('/').pop()")
        self.check(where, [first] == browser.run(
            "BOOK_INDEX.sections.filter(section => section[4].includes("
            f"'{word}')).map(section => section[0] + '#' + section[1])"),
            f"\"{word}\": {first} comes first and does not define it")
        said = browser.run("document.querySelector('#found .lead').innerHTML")
        self.check(where, len(said.split()) > 5 and said[-1] in ".…" and all(
            re.search(f"<mark[^>]*>{part}</mark>", said, re.I) for part in word.split()),
                   f"\"{word}\" is not shown in its sentence: {said}")
        browser.key("Escape")

    def tap(self, path):
        """The first touch of a term shows what it means, and leads nowhere."""
        browser = self.browser
        browser.view("phone", "light")
        browser.open(path)
        self.check(path.name, browser.run(
            "(() => { const touch = new Event('touchend', { cancelable: true });"
            "document.querySelector('a.term').dispatchEvent(touch);"
            "return touch.defaultPrevented && "
            "!document.getElementById('term-note').hidden; })()"),
            "a term that is tapped says nothing")
        browser.view("desktop", "light")

    def terms(self):
        """What the glossary says of a term is shown where the term stands: beside
        the mouse, or the focus, until Escape."""
        browser = self.browser
        note = "document.getElementById('term-note')"
        asked = False	# axe-core, of the first page: all show it alike
        browser.view("desktop", "light")
        chapters = sorted(self.book.glob("[0-9]*.html"))
        for path in chapters[:1]:
            self.tap(path)
        for path in chapters:
            browser.open(path)
            terms = browser.driver.find_elements(By.CSS_SELECTOR, "a.term")
            self.check(path.name, len(terms) > 5, "marks no terms")
            if not terms:
                continue
            meaning = terms[0].get_property("meaning")
            ActionChains(browser.driver).move_to_element(terms[0]).perform()
            self.check(path.name, browser.run(f"!{note}.hidden && {note}"
                                              ".textContent") == meaning,
                       "a term under the mouse says nothing")
            browser.key("Escape")
            self.check(path.name, browser.run(f"{note}.hidden"),
                       "Escape does not hide what a term says")
            browser.run("document.querySelector('a.term').focus()")
            self.check(path.name, browser.run(f"!{note}.hidden"),
                       "a term with the focus says nothing")
            if not asked:
                for complaint in browser.ask_axe({}):
                    self.wrong(path.name + " (term shown)", complaint)
            asked = True
            place = terms[0].get_attribute("href")
            browser.follow(lambda: browser.key("Enter"))
            self.check(path.name, browser.run("location.href") == place and
                       browser.run("!!document.querySelector(':target')"),
                       "a term leads to no entry of the glossary")

    def race(self, expected):
        """Play the race by keyboard; compare what all interleavings do."""
        browser = self.browser
        pages = [path for path in sorted(self.book.glob("*.html"))
                 if 'class="race"' in path.read_text(encoding="utf-8")]
        if not pages:
            return
        for path in pages:
            where = f"race ({path.name})"
            browser.view("phone", "light")
            browser.open(path)
            browser.run("document.querySelector('.race').focus()")
            verdict = "document.querySelector('.verdict').textContent"
            browser.key(*"ppiiiiipp")
            self.check(where, "G2 is broken" in browser.run(verdict),
                       "the count alone survives what it must not")
            self.check(where, "G2" in browser.run(
                "document.querySelector('.race [role=status]').textContent"),
                "a screen reader is not told of the verdict")
            self.check(where, browser.run(
                "document.querySelectorAll('.board tbody tr').length") == 9,
                "the steps are not all shown")
            browser.key("u")
            browser.key("u")
            self.check(where, browser.run(verdict) == "",
                       "u does not take the verdict back")
            browser.key("r")
            self.check(where, browser.run(
                "document.querySelectorAll('.board tbody tr').length") == 0,
                "r does not restart")
            # Another design, through the radio buttons
            browser.run("document.querySelector('.race input:checked').focus()")
            browser.key("ArrowDown")
            browser.key("ArrowDown")
            self.check(where, browser.run(
                "document.querySelector('.race input:checked').value")
                == "both", "arrow keys do not choose another design")
            browser.key(*"ppiiiiippppp")
            self.check(where, "survives" in browser.run(verdict),
                       "count and sequence do not survive")
            browser.picture(self.screens / f"race-{path.stem}.png", ".race")
            presets = browser.run(
                "document.querySelectorAll('.presets button').length")
            for number in range(presets):
                browser.run("document.querySelectorAll('.presets button')"
                            f"[{number}].click()")
                known = browser.run(f"Race.PRESETS[{number}].breaks")
                said = browser.run(verdict)
                self.check(where, said.startswith(known + " is broken")
                           if known else "survives" in said,
                           f"schedule {number + 1}: \"{said}\"")
            for complaint in browser.inspect():
                self.wrong(where + ", played", complaint)
            for design, counts in (expected or {}).items():
                self.check(where, browser.run(f"Race.all('{design}')")
                           == counts, f"{design}: not what mujs found")
            for complaint in browser.complaints():
                self.wrong(where, complaint)


def main(arguments):
    """Do all of it; say what is wrong."""
    book = pathlib.Path(arguments[0]).resolve()
    screens = pathlib.Path(arguments[1])
    expected = json.loads(pathlib.Path(arguments[2]).read_text(
        encoding="utf-8")) if len(arguments) > 2 else None
    if not shutil.which("chromedriver"):
        sys.exit("there is no chromedriver (Debian's package chromium-driver)")
    shutil.rmtree(screens, ignore_errors=True)
    screens.mkdir(parents=True)
    browser = Browser()
    reader = Reader(browser, book, screens)
    try:
        for part in (reader.pages, reader.targets, reader.contents,
                     reader.keyboard, reader.search, reader.terms,
                     lambda: reader.race(expected)):
            try:
                part()
            except WebDriverException as failure:
                reader.wrong(getattr(part, "__name__", "race"), failure.msg)
    finally:
        browser.close()
    for problem in reader.problems:
        print(problem)
    print(f"browse: {reader.done} checked, {len(reader.problems)} wrong")
    return 1 if reader.problems or not reader.done else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
