"""The process that fills templates is shut in, and ended when it takes too much."""

import io
import os
import platform
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from factory.rendering.renderer import Limits, Piece, Renderer
from tests.rendering.conftest import DATA, ROOT, Printer, is_sound, leaf, made

# Turns enough for seconds of work, each with a long text to be made anew.
SLOW = "{% for a in range(1000) %}{% for b in range(190) %}{% if long|upper == say %}x{% endif %}{% endfor %}{% endfor %}"
SLOW_DATA = DATA | {"long": "a" * 90_000}


def _refusals(*deeds):
    """What of these deeds the process may not do, once it is shut in."""
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import ctypes, os, pathlib, shutil, socket, subprocess, urllib.request
from factory.rendering.limits import LockedError, shut_in
shut_in(256 << 20)
def held(deed):
    try:
        exec(deed)
    except LockedError:
        return True
    except BaseException as error:
        return type(error).__name__
    return False
for deed in {deeds!r}:
    print(held(deed))
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_shut_in_process_writes_nothing_starts_nothing_and_reaches_nobody(tmp_path):
    target = str(tmp_path / "file")
    deeds = (
        f"open({target!r}, 'w')",
        f"open({target!r}, 'ab')",
        f"open({target!r}, 'xb')",
        f"open({target!r}, 'r+')",
        f"os.open({target!r}, os.O_CREAT | os.O_WRONLY)",
        f"pathlib.Path({target!r}).touch()",
        f"os.mkdir({target!r})",
        f"os.rename(sys.executable, {target!r})",
        f"os.remove({target!r})",
        f"os.symlink('/etc', {target!r})",
        f"shutil.copy(sys.executable, {target!r})",
        "subprocess.run(['true'])",
        "os.system('true')",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 0)",
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('example.org', 80)",
        "urllib.request.urlopen('http://127.0.0.1/')",
        "ctypes.CDLL(None)",
        "os.putenv('A', 'B')",
        "os.chdir('/')",
    )

    held = _refusals(*deeds)

    assert dict(zip(deeds, held, strict=True)) == dict.fromkeys(deeds, "True")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's")
def test_a_shut_in_process_has_a_network_of_its_own_where_the_kernel_allows_it():
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import os
from factory.rendering.limits import shut_in
before = os.readlink("/proc/self/ns/net")
shut_in(256 << 20)
print(before != os.readlink("/proc/self/ns/net"))
"""
    allowed = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(allowed.returncode == 0)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in {"x86_64", "aarch64"},
    reason="the kernel's calls are known for these machines",
)
def test_the_kernel_refuses_what_python_does_not_see():
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import os, socket, subprocess, threading
from factory.rendering.limits import refuse_calls
assert refuse_calls()
done = []
thread = threading.Thread(target=done.append, args=(1,))
thread.start(); thread.join()
assert done == [1]
for deed in (
    os.fork,
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.posix_spawn("/bin/true", ["true"], {{}}),
    lambda: subprocess.run(["/bin/true"]),
    lambda: os.system("true") and 1 / 0,
    socket.socket,
    lambda: socket.socket(socket.AF_UNIX),
    socket.socketpair,
    lambda: os.kill(os.getppid(), 0),
):
    try:
        deed()
    except (PermissionError, ZeroDivisionError):
        print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["refused"] * 9


def test_a_template_that_computes_too_long_is_ended():
    with Renderer(Limits(seconds=1, wall_seconds=60)) as renderer:
        report, problems = Printer(renderer)(made(SLOW), SLOW_DATA)

    assert report is None
    assert [problem.code for problem in problems] == ["E646"]
    assert "1 seconds of computing" in problems[0].what


def test_a_template_that_takes_too_long_is_ended_even_if_it_computes_little():
    start = time.monotonic()
    with Renderer(Limits(seconds=60, wall_seconds=1.5)) as renderer:
        report, problems = Printer(renderer)(made(SLOW), SLOW_DATA)

    assert report is None
    assert [problem.code for problem in problems] == ["E646"]
    assert "after 1.5 seconds" in problems[0].what
    assert time.monotonic() - start < 20


def test_a_template_that_takes_too_much_memory_is_ended():
    text = "{% for a in range(1000) %}{{ long }}{% endfor %}"
    with Renderer(Limits(memory=48 << 20)) as renderer:
        printer = Printer(renderer)
        report, problems = printer(made(text), DATA | {"long": leaf("a" * 30_000)})

        assert report is None
        assert problems[0].code in {"E646", "E639"}
        again, problems = printer(made("{{ fmv }}"))

    assert not problems
    assert is_sound(again)


def test_a_report_without_end_is_refused_before_it_fills_all_memory(printer):
    text = "{% for a in range(1000) %}{{ long }}{% endfor %}"
    report, problems = printer(made(text), DATA | {"long": leaf("a" * 90_000)})

    assert report is None
    assert [problem.code for problem in problems] == ["E646"]
    assert "characters" in problems[0].what


def test_time_is_given_anew_for_each_report():
    with Renderer(Limits(seconds=2, wall_seconds=60)) as renderer:
        printer = Printer(renderer)
        text = SLOW.replace("range(190)", "range(12)")
        for _ in range(4):
            report, problems = printer(made(text), SLOW_DATA)
            assert not problems
            assert report


def test_a_process_that_was_ended_is_replaced_for_the_next_report():
    with Renderer() as renderer:
        printer = Printer(renderer)
        assert printer(made("{{ fmv }}"))[0]
        first = renderer.process_id
        os.kill(first, 9)
        report, problems = printer(made("{{ fmv }}"))

        if problems:  # it may not have ended yet when the job was sent
            report, problems = printer(made("{{ fmv }}"))
        assert not problems
        assert is_sound(report)
        assert renderer.process_id != first


def test_a_process_ended_in_the_middle_is_told():
    with Renderer(Limits(wall_seconds=60)) as renderer:
        printer = Printer(renderer)
        printer(made("x"))
        threading.Timer(0.5, os.kill, (renderer.process_id, 9)).start()
        report, problems = printer(made(SLOW), SLOW_DATA)

    assert report is None
    assert [problem.code for problem in problems] == ["E639"]


def test_nothing_is_left_running_when_the_renderer_is_closed():
    with Renderer() as renderer:
        Printer(renderer)(made("x"))
        number = renderer.process_id

    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_the_process_ends_when_nobody_feeds_it():
    with Renderer() as renderer:
        Printer(renderer)(made("x"))
        process = renderer._process
        process.stdin.close()

        assert process.wait(timeout=20) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_the_process_knows_nothing_of_the_environment():
    with Renderer() as renderer:
        Printer(renderer)(made("x"))
        found = Path(f"/proc/{renderer.process_id}/environ").read_bytes()

    assert b"PATH=" not in found
    assert b"HOME=" not in found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
@pytest.mark.campaign
def test_the_largest_pictures_that_are_printed_stay_within_the_memory():
    """The whole campaign, forty photographs of 4 MB, is a part of `make bench`."""
    image = {"label": "A", "evidence": "a", "orientation": 6, "x": "15", "y": "25"}
    image |= {"width": "87.75", "height": "117"}
    pictures = []
    for size, kind in (((7000, 7000), "PNG"), ((10_000, 11_000), "JPEG"), ((4000, 3000), "TIFF")):
        out = io.BytesIO()
        Image.new("RGB", size, "teal").save(out, kind)
        pictures.append(out.getvalue())
    plan = {
        "paper_width": "210",
        "paper_height": "297",
        "caption_height": "6",
        "pages": [
            {"number": n, "sections": [{"heading": "H", "y": "15", "images": [image]}]}
            for n in range(len(pictures))
        ],
    }
    job = {"name": "own.docx", "furniture": "around.docx", "data": DATA, "pictures": []}
    job |= {"plan": plan, "properties": {}}
    contents = [made("{{ fmv }}"), made("around"), *pictures]
    with Renderer() as renderer:
        report, problems = renderer.fill(job, [Piece(len(each), [each]) for each in contents])
        status = Path(f"/proc/{renderer.process_id}/status").read_text("ascii")

    assert not problems
    assert is_sound(report)
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) < 600 * 1024


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not JSON\n",
        b"[]\n",
        b'{"size": -1, "problems": []}\n',
        b'{"size": null, "problems": []}\n',
        b'{"size": 99999999999, "problems": []}\n',
        b'{"size": "5", "problems": []}\nabcde',
        b'{"size": 9, "problems": []}\nshort',
        b'{"size": null, "problems": [{"code": 5, "what": []}]}\n',
        b'{"size": null, "problems": [{"other": "x"}]}\n',
    ],
)
def test_what_the_process_says_is_not_trusted(answer, monkeypatch):
    from factory.rendering import renderer as module

    def liar(_):
        script = f"import sys; sys.stdout.buffer.write({answer!r})"
        return subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    monkeypatch.setattr(module, "_start", liar)
    with Renderer(Limits(wall_seconds=20)) as renderer:
        report, problems = Printer(renderer)(made("{{ fmv }}"))

    assert report is None
    assert [problem.code for problem in problems] == ["E639"]


def test_more_bytes_than_announced_do_not_confuse_the_process():
    with Renderer(Limits(wall_seconds=30)) as renderer:
        content = made("{{ fmv }}")
        report, _ = renderer.fill({"name": "own.docx"}, [Piece(3, [content])])
        assert report is None
        again, problems = Printer(renderer)(content)

    assert not problems
    assert is_sound(again)
