"""Text is cut into the lines that it has, whatever the pieces that it comes in."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.blocks import Block, LongLine, cut_blocks, frame_lines

untimed = settings(max_examples=200, deadline=None)
PARTS = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b" ", b"\t", b"a log", b"x" * 30, "é".encode(), "\u00a0".encode(),
     b"\xff", b"\xe2\x82", b"\0", b"\x1c", b"\xef\xbb\xbf", b"\x0c"]
)  # fmt: skip
BODIES = st.lists(PARTS, max_size=40).map(b"".join)
LONGEST = 60


def is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def cut_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@untimed
@given(BODIES, st.integers(1, 50), st.integers(1, 200))
def test_lines_are_those_of_the_text(body: bytes, piece_bytes: int, block_bytes: int) -> None:
    good, bad, long_lines, position = [], [], [], 0
    for item in cut_blocks(iter(cut_pieces(body, piece_bytes)), block_bytes, LONGEST):
        if isinstance(item, LongLine):
            long_lines.append((item.offset_bytes, item.size_bytes))
        else:
            assert isinstance(item, Block)
            frame = frame_lines(item, position)
            good += frame.lines.select("offset_bytes", "raw").rows()
            bad += [(row.offset_bytes, row.size_bytes) for row in frame.rejected]
            numbers = [*frame.lines["position"], *(row.position for row in frame.rejected)]
            assert sorted(numbers) == list(range(position, frame.next_position))
            position = frame.next_position
    expected_good, expected_bad, expected_long = [], [], []
    offset = 0
    for number, line in enumerate(body.split(b"\n")):
        start = 3 if number == 0 and line.startswith(b"\xef\xbb\xbf") else 0
        if len(line) > LONGEST:
            expected_long.append((offset, len(line)))
        elif not is_utf8(line):
            expected_bad.append((offset + start, len(line) - start + 1))
        else:
            text = line[start:].decode().rstrip("\r")
            # Separators of records (0x1C to 0x1F) are white space to Python only.
            if text.strip(" \t\n\v\f\r\x85\u00a0"):
                expected_good.append((offset + start, text))
        offset += len(line) + 1
    assert (good, bad, long_lines) == (expected_good, expected_bad, expected_long)
