"""A headless Chromium for the suites (Debian's chromium, chromium-driver and python3-selenium), with what is checked on every page:
no error on the console, and what axe-core finds wrong for people who do not see or point."""

import base64
import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from conftest import ROOT

AXE_VERSION = "4.10.3"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--no-proxy-server", "--force-color-profile=srgb"]


class Browser:
    def __init__(self):
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.service import Service
        except ImportError:
            pytest.skip("python3-selenium (Debian's) is not installed")
        if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
            pytest.skip("chromium and chromium-driver (Debian's) are not installed")
        self.profile = tempfile.mkdtemp(prefix="ics-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in [*FLAGS, f"--user-data-dir={self.profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def size(self, width, height=900):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scheme(self, name):
        """dark or light, as the operating system would say."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]})

    def script(self, text, *args):
        return self.driver.execute_script(text, *args)

    def open(self, url):
        self.console()
        self.driver.get(url)

    def wait(self, condition, what, timeout=60):
        """condition: a script that returns something true."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            got = self.script(condition)
            if got:
                return got
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {timeout} s; the page says:\n{self.text()[:3000]}\n{self.console()}")

    def text(self):
        return self.script("return document.body.innerText")

    def console(self):
        """What was said on the console since the last time."""
        return [f"{e['level']}: {e['message']}" for e in self.driver.get_log("browser")]

    def picture(self, path, height=None, top=0):
        """The whole page, not only what fits the window; or a part."""
        height = height or self.script("return document.documentElement.scrollHeight")
        width = self.script("return document.documentElement.clientWidth")
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True,
                                           "clip": {"x": 0, "y": top, "width": width, "height": min(height, 6000), "scale": 1}})
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def axe(self):
        """Findings of axe-core, WCAG 2.1 A and AA and its best practices, that are serious or worse; none where there is no axe-core."""
        source, _ = axe_source()
        if source is None:
            return []
        self.driver.execute_script(source)
        result = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done, (e) => done({error: String(e)}))")
        assert "error" not in result, result
        return [f"{v['id']} ({v['impact']}): {v['help']}: " + "; ".join(n["html"][:160] + " " + str(n.get("failureSummary"))[:200] for n in v["nodes"][:3])
                for v in result["violations"] if v["impact"] in ("serious", "critical")]


@functools.cache
def axe_source(folder=None):
    """axe-core's script from the npm registry, kept in a folder of the build; None and why not where there is none. Asked for once
    in a run: where there is no registry, that takes a while to say."""
    if folder is None:
        folder = Path(os.environ.get("ICMPSCOPE_BUILD", ROOT / "build")).resolve()
        folder = folder / "axe" if folder.is_dir() else Path(tempfile.gettempdir()) / "ics-axe"
    path = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        if shutil.which("npm") is None:
            return None, "npm is not installed"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True}))
        try:
            r = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", f"axe-core@{AXE_VERSION}"],
                               cwd=folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return None, "npm does not end"
        if r.returncode != 0 or not path.exists():
            return None, f"npm could not install axe-core: {r.stderr[-300:]}"
    return path.read_text(), None
