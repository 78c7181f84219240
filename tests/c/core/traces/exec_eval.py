"""exec, eval and compile: code of several files that shares a name and a line."""


def f():
    return 1


def run():
    exec("f()")
    exec("def f():\n    return 2\nf()", {})
    eval("f()")
    code = compile("f() + f()", "<formula>", "eval")
    eval(code)
    eval(code)
    try:
        exec("1 / 0")
    except ZeroDivisionError:
        pass
    try:
        exec("(")
    except SyntaxError:
        pass
    exec(compile("class A:\n    x = f()\nA()", "<class>", "exec"), {"f": f})


run()
