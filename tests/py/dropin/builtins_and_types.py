import collections
import datetime
import decimal
import itertools
import json
import random
import re
import struct

text = "the quick brown fox"
for i in range(3):
    len(text), abs(-i), min(1, i), max([i, 2]), sum((1, i)), repr(text), id(i), isinstance(i, int)
    text.upper().split(), " ".join([text]), text.replace("q", "k"), text.encode().decode()
    str(i), int("3"), float("1.5"), bytes(3), list("ab"), dict(a=1), set("ab"), tuple([1]), range(3), object()
    dict.fromkeys("ab"), bytes.fromhex("00ff"), int.from_bytes(b"\x01", "big"), str.maketrans("a", "b")
    {"a": 1}.get("a"), {"a": 1}.items(), {1}.union({2}), [3, 1, 2].sort(), [1].index(1)
    list(map(str, range(3))), list(filter(None, [0, 1])), list(zip("ab", "cd")), list(enumerate("ab"))
    any(x > 1 for x in (1, 2)), all([x for x in (1, 2)]), sorted("cab", key=str.upper), next(iter("ab"))
    hasattr(i, "real"), getattr(i, "real"), vars(collections), callable(len), type(i), type("T", (), {})
    re.compile("a+").sub("b", "aab"), re.match("x", "x").group(), json.loads(json.dumps({"a": [1, None]}))
    (
        decimal.Decimal("1.1").sqrt(),
        datetime.datetime(2020, 1, 1).isoformat(),
        datetime.date(2020, 1, 2).weekday(),
    )
    (
        collections.Counter("abca").most_common(1),
        collections.deque([1]).append(2),
        collections.defaultdict(list)["a"],
    )
    list(itertools.chain("ab", "cd")), list(itertools.islice(itertools.count(), 2)), struct.pack("<i", i)
    (
        random.Random(1).random(),
        bytearray(b"x").extend(b"y"),
        memoryview(b"abc").tobytes(),
        format(i, "x"),
        "%d" % i,
    )
    exec("1 + 1"), eval("len('a')"), compile("1", "<s>", "eval"), open("/dev/null").close()
