"""Lines bound to each other: what was written is there, whatever was changed is found, what is private can go."""

import json
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xseg.exceptions import ConsentError, DefinitionError
from xseg.governance.append_only import AppendOnlyLog

facts = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | st.text(max_size=5), max_size=3)
steps = st.lists(st.tuples(st.integers(0, 1), facts, facts, st.booleans()), max_size=8)


@settings(max_examples=40, deadline=None)
@given(said=steps, in_a_file=st.booleans())
def test_every_reader_of_a_file_sees_what_every_writer_wrote(said, in_a_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl" if in_a_file else None
    one = AppendOnlyLog(path)
    readers = (one, AppendOnlyLog(path) if in_a_file else one)
    told, private = [], []
    for who, open_facts, private_facts, forgets in said:
        readers[who].append(open_facts, private_facts)
        told.append(open_facts)
        private.append(private_facts or None)
        if forgets:
            gone = sum(part is not None for part in private)
            assert readers[1 - who].forget(lambda _: True) == gone
            private = [None] * len(private)
        for lines in readers:
            told_again = [line for line in lines if "forgotten" not in line]
            for line, known, kept in zip(told_again, told, private, strict=True):
                assert known.items() <= line.items()
                assert ("private" in line) == (kept is not None)
                assert kept is None or kept.items() <= line["private"].items()
            lines.verify(lines.head)
    assert readers[0].head == readers[1].head


@pytest.fixture
def path(tmp_path):
    lines = AppendOnlyLog(tmp_path / "log.jsonl")
    for name in ("ann", "bob", "cy"):
        lines.append({"who": name}, private={"why": f"because of {name}"})
    return lines.path


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 10**6), letter=st.sampled_from(list('x0a"{}')))
def test_any_altered_character_is_found(place, letter, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    lines = AppendOnlyLog(path)
    for name in ("ann", "bob"):
        lines.append({"who": name}, private={"why": name})
    text = path.read_text()
    place %= len(text)
    if text[place] == letter:
        return
    path.write_text(text[:place] + letter + text[place + 1 :])
    with pytest.raises(ConsentError):
        AppendOnlyLog(path).verify(lines.head)


def test_what_is_moved_left_out_repeated_or_cut_is_found(path):
    lines, head = path.read_text().splitlines(), AppendOnlyLog(path).head
    for forged in (lines[1:], lines[:1] + lines[2:], lines[::-1], [*lines, lines[-1]], lines[:-1], []):
        path.write_text("".join(f"{line}\n" for line in forged))
        with pytest.raises(ConsentError):
            AppendOnlyLog(path).verify(head)


def test_what_is_forgotten_is_in_no_byte_of_the_file_and_the_links_hold(path):
    lines = AppendOnlyLog(path)
    head = lines.head
    assert lines.forget(lambda line: line["who"] == "bob") == 1
    assert "because of bob" not in path.read_text()
    assert "because of ann" in path.read_text()
    lines.verify(head)
    AppendOnlyLog(path).verify(head)
    assert lines.forget(lambda line: line["who"] == "bob") == 0


def test_equal_secrets_have_different_digests():
    lines = AppendOnlyLog()
    first, second = (lines.append({}, private={"why": "the same"}) for _ in range(2))
    assert first["private_sha256"] != second["private_sha256"]


def test_an_unfinished_line_is_refused_and_kept(path):
    whole = path.read_text()
    path.write_text(whole[:-20])
    with pytest.raises(ConsentError, match="not whole"):
        AppendOnlyLog(path)
    assert path.read_text() == whole[:-20]


def test_a_file_that_vanishes_or_cannot_be_written_is_said(path, tmp_path):
    lines = AppendOnlyLog(path, name="list of overrides", error=DefinitionError)
    path.unlink()
    with pytest.raises(DefinitionError, match=r"list of overrides .* is gone"):
        len(lines)
    with pytest.raises(ConsentError, match="cannot read or write"):
        AppendOnlyLog(tmp_path / "none" / "log").append({})
    for text in ("[]\n", "no\n", "3\n"):
        path.write_text(text)
        with pytest.raises(ConsentError, match="line 0"):
            AppendOnlyLog(path)


_WRITER = """
import sys
from xseg.governance.append_only import AppendOnlyLog
lines = AppendOnlyLog(sys.argv[1])
for number in range(40):
    lines.append({"who": sys.argv[2], "step": number}, private={"x": number})
    if number % 10 == 9:
        lines.forget(lambda line: line["who"] == sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path):
    path = tmp_path / "log.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    lines = AppendOnlyLog(path)
    lines.verify()
    for name in "ab":
        assert [line["step"] for line in lines if line.get("who") == name] == list(range(40))
    assert not any("private" in json.loads(text) for text in path.read_text().splitlines())


def test_threads_that_write_at_the_same_time_lose_nothing(tmp_path):
    for lines in (AppendOnlyLog(tmp_path / "log.jsonl"), AppendOnlyLog()):

        def write(name, lines=lines):
            for step in range(40):
                lines.append({"who": name, "step": step})
                assert len(lines) > step

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        lines.verify()
        for name in "abcd":
            assert [line["step"] for line in lines if line["who"] == name] == list(range(40))


def test_who_saw_the_lines_finds_them_cut_replaced_or_edited_in_place(path, tmp_path):
    whole = path.read_text()
    other = AppendOnlyLog(tmp_path / "other.jsonl")
    for name in ("ann", "zoe", "cy", "dee"):
        other.append({"who": name})
    other_text = (tmp_path / "other.jsonl").read_text()
    for forged in ("".join(whole.splitlines(keepends=True)[:2]), "", other_text):
        path.write_text(whole)
        lines = AppendOnlyLog(path)
        path.write_text(forged)
        with pytest.raises(ConsentError):
            lines.append({"who": "next"})
        assert path.read_text() == forged
    path.write_text(whole)
    lines = AppendOnlyLog(path)
    path.write_text(whole.replace('"bob"', '"Bob"'))
    with pytest.raises(ConsentError):
        lines.verify()


def test_a_private_part_is_gone_only_if_it_was_forgotten(path):
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    del lines[1]["private"]
    path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    with pytest.raises(ConsentError, match="lost its private part"):
        AppendOnlyLog(path)


def test_a_name_that_is_there_twice_is_refused(path):
    text = path.read_text()
    path.write_text(text.replace('{"hash"', '{"who": "zoe", "hash"', 1))
    with pytest.raises(ConsentError, match="repeats"):
        AppendOnlyLog(path)


def test_what_is_given_out_is_nobodys_way_in(path):
    lines = AppendOnlyLog(path)
    given = lines.append({"who": "dee", "more": {"x": 1}})
    given["who"] = given["more"]["x"] = "forged"
    for line in lines:
        line["who"] = "forged"
    lines.forget(lambda line: line["who"] == "ann")
    AppendOnlyLog(path).verify(lines.head)


def test_a_link_to_a_file_is_followed_once(path, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    AppendOnlyLog(link).forget(lambda _: True)
    assert "because" not in path.read_text()
    assert link.is_symlink()


def test_a_platform_without_file_locks_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    AppendOnlyLog(path).append({"a": 1}, {"b": 2})
    monkeypatch.setitem(sys.modules, "fcntl", None)
    for call in (lambda lines: lines.append({"a": 2}), lambda lines: lines.forget(lambda _: True)):
        with pytest.raises(ConsentError, match="cannot be locked"):
            call(AppendOnlyLog(path))
    assert len(AppendOnlyLog(path)) == 1
    assert AppendOnlyLog().append({"a": 1})["number"] == 0
