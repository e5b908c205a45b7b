#!/usr/bin/python3
"""Makes of the page's files what is built into the programs: bundle.py WEB_FOLDER HEADER SCRIPT

The modules become one script, each after those it imports, without the import and export words, so that the report can hold it
in one file; names at the top of modules must therefore differ, which is checked. Of the page come two forms: one that loads
style and script from the exporter, and the parts of one that holds them and allows no others (by their hashes).
"""

import base64
import hashlib
import re
import sys
from pathlib import Path

WEB, HEADER = Path(sys.argv[1]), Path(sys.argv[2])
IMPORT = re.compile(r"^import \{([^}]*)\} from '\./([a-z]+)\.js';\n", re.M)
TOP = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.M)


def order(name, done, path=()):
    assert name not in path, f"modules import each other: {path + (name,)}"
    if name not in done:
        for _, other in IMPORT.findall((WEB / f"{name}.js").read_text()):
            order(other, done, path + (name,))
        done.append(name)
    return done


def bundle():
    seen, exported, out = {}, {}, []
    for name in order("main", []):
        text = (WEB / f"{name}.js").read_text()
        for names, other in IMPORT.findall(text):
            for n in names.split(","):
                assert n.strip() in exported[other], f"{name}.js imports {n.strip()}, which {other}.js does not export"
        exported[name] = re.findall(r"^export (?:async )?(?:function|const|let) (\w+)", text, re.M)
        for n in TOP.findall(text):
            assert n not in seen, f"{n} stands in {seen[n]}.js and in {name}.js"
            seen[n] = name
        text = re.sub(r"^export ", "", IMPORT.sub("", text), flags=re.M)
        assert not re.search(r"^(import|export)\b", text, re.M), f"{name}.js: an import or export in another form"
        out.append(f"// {name}.js\n{text.strip()}\n")
    return "'use strict';\n(() => {\n" + "\n".join(out) + "})();\n"


def sha(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def array(name, text):
    data = text.encode("utf-8")
    rows = (",".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32))
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(rows) + ",0};\n"


page, css, js = (WEB / "page.html").read_text(), (WEB / "page.css").read_text(), bundle()
# Neither may end its own element; the parser of HTML looks for nothing else.
assert "</" not in js.replace("</span", "") and "</" not in css and "<!--" not in js
live = page.replace("<!--HEAD-->", "<title>icmpscope</title>").replace("<!--STYLE-->", '<link rel="stylesheet" href="page.css">')
live = live.replace("<!--SCRIPT-->", '<script src="page.js" defer></script>')
live = live.replace("<!--BODY-->", "<noscript><p>This page needs JavaScript. Without it: icmpscopectl status, icmpscopectl anomalies --long.</p></noscript>")
policy = f"default-src 'none'; script-src {sha(js)}; style-src {sha(css)}; img-src data:; base-uri 'none'; form-action 'none'"
one = page.replace("<!--HEAD-->", f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>icmpscope: <!--TITLE--></title>')
one = one.replace("<!--STYLE-->", f"<style>{css}</style>").replace("<!--SCRIPT-->", f'<script type="application/json" id="data"><!--DATA--></script>\n<script>{js}</script>')
head, rest = one.split("<!--TITLE-->")
middle, rest = rest.split("<!--BODY-->")
end, tail = rest.split("<!--DATA-->")
HEADER.write_text("/* Made by bundle.py. */\n" + "".join(array(n, t) for n, t in (
    ("page_html", live), ("page_css", css), ("page_js", js), ("report_head", head), ("report_middle", middle), ("report_end", end),
    ("report_tail", tail))))
