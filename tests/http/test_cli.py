"""The command line, as the program that people run."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.opponents.certificates import Certificates
from tests.opponents.nginx import Nginx
from tulip_http import Client, run
from tulip_http.cli import main
from tulip_http.cli._fetch import Fetch
from tulip_http.cli._options import parse_options
from tulip_http.cli._progress import Meter, make_board
from tulip_http.testing import ScriptedServer, Step


def tulip_http(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tulip_http.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def trust(certificates: Certificates) -> list[str]:
    return ["--cafile", str(certificates.authority_file)]


@pytest.mark.slow
def test_a_line_for_each_url(nginx: Nginx, trust: list[str]) -> None:
    urls = [
        nginx.url("/hello.txt"),
        nginx.tls_url("/medium.bin"),
        nginx.url("/missing"),
        nginx.url("/chunked/page.html"),
    ]
    result = tulip_http(*trust, *urls)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    for url, status, size in zip(
        urls, (200, 200, 404, 200), ("17", "1,048,576", "[0-9]+", "2,800"), strict=True
    ):
        pattern = rf" *[0-9.]+ s  {status}  {size} bytes  {re.escape(url)}"
        assert any(re.fullmatch(pattern, line) for line in lines), (pattern, lines)


def test_no_password_is_in_a_line(nginx: Nginx, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([nginx.url("/hello.txt").replace("//", "//user:secret@")]) == 0
    line = capsys.readouterr().out
    assert "//user:[secure]@" in line
    assert "secret" not in line


@pytest.mark.slow
def test_errors_in_words_and_status_1(nginx: Nginx) -> None:
    urls = [
        "http://127.0.0.1:1/",
        "http://no-such-host.invalid/",
        "ftp://h/",
        "http://h:99999/",
        "nonsense",
        nginx.tls_url("/hello.txt"),
        nginx.url("/hello.txt"),
    ]
    result = tulip_http(*urls)
    assert (result.returncode, result.stderr) == (1, "")
    for words in (
        "ConnectError: cannot connect to 127.0.0.1:1: Connection refused",
        "ConnectError: cannot resolve 'no-such-host.invalid'",
        "UnsupportedProtocol: scheme 'ftp'",
        "InvalidURL: port 99999 is out of range",
        "InvalidURL: no scheme",
        "CertificateError: the certificate of '127.0.0.1' does not verify",
        "200  17 bytes",
    ):
        assert words in result.stdout


def test_insecure_means_unverified(nginx: Nginx, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-k", nginx.tls_url("/hello.txt")]) == 0
    assert "200  17 bytes" in capsys.readouterr().out


def test_fail_counts_error_statuses(nginx: Nginx, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([nginx.url("/missing")]) == 0
    assert main(["--fail", nginx.url("/missing")]) == 1
    assert capsys.readouterr().out.count("404  ") == 2


def test_a_body_goes_to_a_file_or_to_standard_output(
    nginx: Nginx, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "page"
    assert main(["-o", str(file), nginx.url("/hello.txt")]) == 0
    assert file.read_text() == "hello from nginx\n"
    assert main(["-o", "-", nginx.url("/hello.txt")]) == 0
    captured = capfdbinary.readouterr()
    assert captured.out.endswith(b"hello from nginx\n")
    assert b"200  17 bytes" in captured.err
    assert main(["-o", str(tmp_path / "no" / "folder"), nginx.url("/hello.txt")]) == 1
    assert b"cannot write to" in capfdbinary.readouterr().out


def test_head_headers_and_method(nginx: Nginx, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["-I", nginx.url("/medium.bin")]) == 0
    assert b"200  0 bytes" in capfdbinary.readouterr().out
    assert main(["-X", "put", "-H", "X-Test: a:b", "-o", "-", nginx.url("/request")]) == 0
    assert capfdbinary.readouterr().out == b"PUT /request a:b"


def test_fail_leaves_the_file_alone(
    nginx: Nginx, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "page"
    file.write_text("what was there")
    assert main(["-f", "-o", str(file), nginx.url("/missing")]) == 1
    assert main(["-f", "-o", str(tmp_path / "new"), nginx.url("/missing")]) == 1
    assert file.read_text() == "what was there"
    assert [each.name for each in tmp_path.iterdir()] == ["page"]
    capfdbinary.readouterr()
    assert main(["-f", "-o", "-", nginx.url("/missing")]) == 1
    captured = capfdbinary.readouterr()
    assert captured.out == b""
    assert b"404  0 bytes" in captured.err


def test_bodies_on_standard_output_come_one_after_the_other(
    nginx: Nginx, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    urls = [nginx.url(path) for path in ("/medium.bin", "/hello.txt") * 3]
    assert main(["-o", "-", *urls]) == 0
    medium = (nginx.site / "medium.bin").read_bytes()
    assert capfdbinary.readouterr().out == (medium + b"hello from nginx\n") * 3


def test_where_there_is_no_standard_error_the_body_is_still_alone(
    nginx: Nginx, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it after 2>&-
    assert main(["-o", "-", nginx.url("/hello.txt")]) == 0
    assert capfdbinary.readouterr().out == b"hello from nginx\n"
    assert main([nginx.url("/hello.txt")]) == 0
    assert b"200  17 bytes" in capfdbinary.readouterr().out


@pytest.mark.parametrize("fields, length", [(b"", 2), (b"Content-Encoding: gzip\r\n", None)])
def test_a_bar_knows_the_length_of_what_it_counts(fields: bytes, length: int | None) -> None:
    class Lengths:
        def __init__(self) -> None:
            self.told: list[int | None] = []

        def meter(self, name: str, length: int | None) -> Meter:
            self.told.append(length)
            return make_board(bars=False).meter(name, length)

        def line(self, text: str) -> None:
            raise AssertionError(text)

    async def fetch() -> None:
        with Client(connect=ScriptedServer([Step.REQUEST, answer]).connect) as client:
            await Fetch("http://h/").run(client, parse_options(["http://h/"]), board)

    board = Lengths()
    answer = b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\nhi"
    run(fetch())
    assert board.told == [length]


def test_headers_as_curl_takes_them(
    nginx: Nginx, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def sent(header: str, path: str = "/request") -> bytes:
        assert main(["-H", header, "-o", "-", nginx.url(path)]) == 0
        return capfdbinary.readouterr().out

    assert sent("X-Test: \u00fc") == b"GET /request \xc3\xbc"
    assert sent("X-Test: \udcff") == b"GET /request \xff"  # an argument that is no text
    assert sent("X-Test;") == sent("X-Test:") == b"GET /request "
    assert sent("X-Test: 1", "/agent") == b"[tulip-http]"
    assert sent("user-agent:", "/agent") == b"[]"


def test_gives_up_in_time(nginx: Nginx, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--timeout", "0.1", nginx.url("/silent"), nginx.url("/hello.txt")]) == 1
    output = capsys.readouterr().out
    assert "gave up after 0.1 s, with 0 bytes" in output
    assert "200  17 bytes" in output


def test_more_urls_than_are_fetched_at_once(
    nginx: Nginx, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--parallel", "2", *[nginx.url(f"/hello.txt?{n}") for n in range(20)]]) == 0
    assert capsys.readouterr().out.count("200  17 bytes") == 20


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "the following arguments are required: URL"),
        (["-o", "file", "http://a/", "http://b/"], "is one file, and there are 2 URLs"),
        (["-H", "nonsense", "http://a/"], "'nonsense' has no colon"),
        (["-m", "soon", "http://a/"], "'soon' is not a number of seconds"),
        (["--parallel", "2.5", "http://a/"], "'2.5' is not a whole number"),
        (["-m", "0", "http://a/"], "0 is not more than 0 seconds"),
        (["--parallel", "0", "http://a/"], "0 is less than 1"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_of_certificates_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        assert main(["--cafile", str(tmp_path / name), "https://h/"]) == 2
        assert f"cannot read --cafile {tmp_path / name}" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for option, text in (("--help", "Exit status"), ("--version", "tulip-http ")):
        with pytest.raises(SystemExit) as exit_:
            main([option])
        assert exit_.value.code == 0
        assert text in capsys.readouterr().out


@pytest.mark.slow
def test_a_reader_that_has_seen_enough(nginx: Nginx) -> None:
    urls = [nginx.url(f"/hello.txt?{number}") for number in range(200)]
    program = [sys.executable, "-m", "tulip_http.cli", "--parallel", "1", *urls]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 1


def test_an_output_that_is_none(
    nginx: Nginx, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # as Python starts with ">&-"
    assert main(["-o", "-", nginx.url("/hello.txt")]) == 1
    assert "cannot write to -: Bad file descriptor" in capsys.readouterr().err


@pytest.mark.slow
def test_an_output_that_is_full(nginx: Nginx) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "tulip_http.cli", nginx.url("/hello.txt")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    message = "tulip-http: cannot write to standard output: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, message)


def test_an_output_that_does_not_know_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["ftp://h/\N{SNOWMAN}"]) == 1
    output.seek(0)
    assert output.read().endswith("  ftp://h/?\n")


@pytest.mark.slow
def test_progress_on_a_terminal(nginx: Nginx) -> None:
    pytest.importorskip("tqdm", reason="no bars without tqdm; install it with `pip install tqdm`")
    shown, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    program = [sys.executable, "-m", "tulip_http.cli", nginx.url("/big.bin")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        assert b"/big.bin:" in everything(shown)
        assert process.stdout is not None
        assert b"200  104,857,600 bytes" in process.stdout.read()
    os.close(shown)
    assert process.returncode == 0


def everything(descriptor: int) -> bytes:
    """Read a terminal until nobody writes to it any more."""
    found = b""
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # EIO is how Linux says that the other side is gone
            return found
        if not data:
            return found
        found += data
