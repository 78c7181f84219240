def double(n):
    return n * 2


class Body:
    squares = [n * n for n in range(3)]
    names = {str(n): n for n in range(3)}

    def nested(self):
        return [[double(m) for m in range(n)] for n in range(3)]


def conditions(items):
    return (
        {n for n in items if double(n) > 2},
        list(double(n) for n in items if n),
        {n: double(n) for n in items},
    )


Body().nested()
conditions(range(5))
[f(n) for f in (double, lambda n: n) for n in range(2)]
sorted(range(3), key=lambda n: -n)
