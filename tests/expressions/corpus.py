"""Expressions and the values that they see, for whoever compares evaluators."""

BODY = {
    "s": "refs/tags/v1.1.0",
    "n": 3,
    "neg": -7,
    "f": 1.5,
    "b": True,
    "z": None,
    "l": [1, 2, 3],
    "m": {"a": 1, "b": {"c": "x"}},
    "e": "",
}

EXPRESSIONS = r"""
1 + 2 * 3
7 / 2
-7 / 2
-7 % 3
7 % -3
1.0 / 0.0
1 / 0
1 % 0
9223372036854775807 + 1
-9223372036854775808
1u + 2u
1u - 2u
1 + 1.0
1 == 1.0
1 == 1u
1 < 1.5
'a' < 'b'
'a' == 1
'a' + 'b'
[1] + [2]
[1,2] == [1,2]
[1,2] == [1,2.0]
{'a': 1} == {'a': 1}
{'a': 1}.a
{'a': 1}['a']
{1: 'x'}[1]
body.l[0]
body.l[3]
body.nope
body.m.b.c
body['m']['b']['c']
has(body.m)
has(body.nope)
has(body.m.b.c)
body.z == null
body.b && true
false && (1/0 == 1)
(1/0 == 1) && false
true || (1/0 == 1)
(1/0 == 1) || true
(1/0 == 1) || false
!true
!!true
-body.neg
body.b ? 1 : 2
body.n > 2 ? 'x' : 'y'
1 in body.l
'a' in body.m
4 in body.l
size(body.s)
body.s.size()
size(body.l)
size(body.m)
body.s.contains('tags')
body.s.startsWith('refs')
body.s.endsWith('0')
body.s.matches('v[0-9]+')
body.s.matches('^v')
int('7')
int(1.9)
int(-1.9)
int('x')
double('1.5')
double(1)
string(1)
string(1.5)
string(1.0)
string(b'abc')
uint(3)
uint(-1)
bytes('abc')
type(1)
type(1) == int
type('x') == string
type([]) == list
type({}) == map
type(null) == null_type
[1,2,3].all(x, x > 0)
[1,2,3].exists(x, x > 2)
[1,2,3].exists_one(x, x > 2)
[1,2,3].map(x, x * 2)
[1,2,3].map(x, x > 1, x * 2)
[1,2,3].filter(x, x > 1)
{'a': 1}.map(k, k)
body.m.all(k, k != 'z')
[1, 'a'].exists(x, x == 'a')
[1,0].exists(x, 1/x == 1)
timestamp('2024-01-01T00:00:00Z') < timestamp('2025-01-01T00:00:00Z')
timestamp('2024-01-01T00:00:00Z').getFullYear()
timestamp('2024-03-01T00:00:00Z').getMonth()
timestamp('2024-03-05T00:00:00Z').getDayOfMonth()
timestamp('2024-03-05T00:00:00Z').getDate()
timestamp('2024-03-05T00:00:00Z').getDayOfWeek()
timestamp('2024-03-05T00:00:00Z').getDayOfYear()
timestamp('2024-03-05T05:06:07.5Z').getHours()
timestamp('2024-03-05T05:06:07.5Z').getMilliseconds()
duration('1h') > duration('59m')
duration('1h30m')
timestamp('2024-01-01T00:00:00Z') + duration('1h')
timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z')
"a\tb"
r'a\d'
'\x41\u00e9\101'
b'\xff'
0x1F
1e3
.5
'a' != 'b'
null == null
true == true
true < false
body.l.size() == 3
'x' in ['x', 'y']
[[1]].map(x, x.map(y, y + 1))
1 + 2 == 3 && 'a' in ['a']
"x".size() // comment
size('x') + size([1])
[].all(x, false)
[].exists(x, true)
1 > 'a'
1 ? 2 : 3
1 && true
'a' * 2
b'a' + b'b'
b'a' == b'a'
{'a': [1, {'b': 2}]}.a[1].b
body.f * 2.0
body.n * 2
body.n + body.f
string(body.n) + 'x'
-(1)
- 1
2 - -1
10 - 2 - 3
2 * 3 % 4
true ? false ? 1 : 2 : 3
dyn(1)
body.l == [1, 2, 3]
[1, 2][1u]
1.5 in [1.5]
2 in [2.0]
has(body.s.x)
body.s.x
body.l.x
body.z.x
body.e == ''
!body.n
'é' == '\u00e9'
"it's"
'\n' == "\n"
double('nan') == double('nan')
size(1)
int('9223372036854775808')
string(null)
type(1u) == uint
type(1.0) == double
1.0 % 2.0
5 in {5: 1}
"a".matches("(")
"abc".matches("a.c") && !"abc".matches("x")
""".strip().splitlines()
