"""Masks as machine code: the loops of `scoring.masks.margins`, made by LLVM for this processor.

One code for all models, made when a process first asks for it. Of rows that share most of their columns, as those of
one decision do, only what differs is worked for:

1. Columns that are the same in all rows are looked up and ANDed once (`shared`).
2. The others are taken TOGETHER at a time. A row that has the same values there as an earlier one (found by a hash,
   then compared) takes what was found for that one (`found`); lines are looked up for new values only.
3. What was found for a row is ANDed (`alive`); the lowest bit of each word names the leaf. ABREAST rows are added up at
   once, since each addition waits for the one before it. The order of the trees is kept: the sums are LightGBM's to the
   last bit.

Importing this raises ImportError where there is no llvmlite.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, Structure, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache, reduce

from llvmlite import binding, ir

from scoring.masks import LINE

TOGETHER = 8
"""Columns compared as one."""
ABREAST = 4
PACK = 8
"""Edges compared at once."""
SLOT_BITS = 8
"""Of the hash that finds earlier rows."""
_EMPTY = -1
_MIX = 0x9E3779B97F4A7C15
"""The golden ratio in 64 bits (Knuth, The Art of Computer Programming 3, section 6.4)."""

_SIZES = ("width", "places", "tiles", "trees")
_ARRAYS = (
    *("columns", "begins", "packs", "edges", "lines", "leaves"),
    *("differs", "varying", "slots", "shared", "found", "sources", "alive"),
)


class Work(Structure):
    """What the code is given: a model's tables as in `scoring.masks.Masks`, and the room of one thread.

    columns (places,); begins and packs (places + 1,), where each place's lines and packs of edges begin; edges
    (packs, PACK), from a cache line's beginning on, filled up with infinity; lines and leaves as they are.
    `tiles` are the cache lines of a line. differs (width,), varying (places,), slots (2 ** SLOT_BITS,) and
    sources (groups, n) are int64; of lines, shared is one, found (groups x n,), alive (ABREAST,).
    """

    _fields_ = [*((name, c_int64) for name in _SIZES), *((name, c_void_p) for name in _ARRAYS)]


Margins = Callable[[object, int, int, int], None]
"""(pointer to Work, address of rows (n, width) of float64, n, address of n + ABREAST - 1 sums)"""

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)
_F64 = ir.DoubleType()
_TILE = ir.VectorType(_I64, LINE // 8)
_EDGES = ir.VectorType(_F64, PACK)
_OF = {"edges": _EDGES, "leaves": _F64, "lines": _TILE, "shared": _TILE, "found": _TILE, "alive": _TILE}
_WORK = ir.LiteralStructType([_I64] * len(_SIZES) + [_OF.get(name, _I64).as_pointer() for name in _ARRAYS])


@cache
def compiled(bits: int) -> Margins:
    """The code for words of 32 or 64 bits."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = ir.Module()
    name = f"margins_{bits}"
    _margins(module, name, bits)
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3, jit=True
    )
    parsed = binding.parse_assembly(str(module))
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = False  # no faster, and three times as long in the making
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    engine = binding.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    _KEPT.append(engine)
    return CFUNCTYPE(None, c_void_p, c_void_p, c_int64, c_void_p)(engine.get_function_address(name))


_KEPT: list[object] = []
"""Code goes with its engine."""


@dataclass(frozen=True, slots=True)
class _Code:
    """The function that is being written, and what every part of it needs."""

    ir: ir.IRBuilder
    work: dict[str, ir.Value]
    """The fields of Work."""
    rows: ir.Value
    count: ir.Value

    def at(self, array: ir.Value | str, spot: ir.Value) -> ir.Value:
        """The address of an element."""
        return self.ir.gep(self.work[array] if isinstance(array, str) else array, [spot])

    def get(self, array: ir.Value | str, spot: ir.Value) -> ir.Value:
        """An element."""
        return self.ir.load(self.at(array, spot))

    def put(self, value: ir.Value, array: ir.Value | str, spot: ir.Value) -> None:
        """Into an element."""
        self.ir.store(value, self.at(array, spot))

    def variable(self, value: ir.Value) -> ir.Value:
        """Where a value stands that changes; room is made once, however often this is come by."""
        with self.ir.goto_entry_block():
            room = self.ir.alloca(value.type)
        self.ir.store(value, room)
        return room

    def add(self, value: ir.Value, to: ir.Value) -> None:
        """To a variable."""
        self.ir.store(self.ir.add(self.ir.load(to), value), to)

    @contextmanager
    def each(self, end: ir.Value, begin: int | ir.Value = 0, step: int = 1) -> Iterator[ir.Value]:
        """What is written inside is done for begin, begin + step, ... below end."""
        spot = self.variable(_number(begin))
        test, inside, behind = (self.ir.append_basic_block() for _ in range(3))
        self.ir.branch(test)
        self.ir.position_at_end(test)
        now = self.ir.load(spot)
        self.ir.cbranch(self.ir.icmp_signed("<", now, end), inside, behind)
        self.ir.position_at_end(inside)
        yield now
        self.add(_number(step), spot)
        self.ir.branch(test)
        self.ir.position_at_end(behind)

    def row(self, number: ir.Value) -> ir.Value:
        """Its address."""
        return self.at(self.rows, self.ir.mul(number, self.work["width"]))

    def line(self, array: str, number: ir.Value) -> ir.Value:
        """The address of a line."""
        return self.at(array, self.ir.mul(number, self.work["tiles"]))

    def bits(self, row: ir.Value) -> ir.Value:
        """A row's values as they are stored: to be compared, NaN as well."""
        return self.ir.bitcast(row, _I64.as_pointer())


def _number(value: int | ir.Value) -> ir.Value:
    return _I64(value) if isinstance(value, int) else value


def _margins(module: ir.Module, name: str, bits: int) -> None:
    """(work, rows, count, sums)"""
    taken = [_WORK.as_pointer(), _F64.as_pointer(), _I64, _F64.as_pointer()]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), taken), name)
    work, rows, count, sums = function.args
    for argument in (work, rows, sums):
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block())
    fields = [builder.load(builder.gep(work, [_I64(0), _I32(n)])) for n in range(len(_WORK.elements))]
    code = _Code(builder, dict(zip((*_SIZES, *_ARRAYS), fields, strict=True)), rows, count)
    _find_differences(code)
    varying = _share(code)
    known, groups = code.variable(_I64(0)), code.variable(_I64(0))
    with code.each(varying, step=TOGETHER) as begin:
        sources = code.at("sources", builder.mul(builder.load(groups), count))
        _find_group(code, _span(code, begin, varying), (sources, known))
        code.add(_I64(1), groups)
    with code.each(count, step=ABREAST) as number:
        with code.each(_I64(ABREAST)) as beside:
            last = builder.sub(count, _I64(1))
            row = builder.add(number, beside)
            row = builder.select(builder.icmp_signed("<", row, last), row, last)  # those beyond it are the last again
            _and_groups(code, row, builder.load(groups), code.line("alive", beside))
        _add_up(code, number, (sums, bits))
    builder.ret_void()


def _find_differences(code: _Code) -> None:
    """differs[column]: not 0 where the rows are not all the same."""
    width, first = code.work["width"], code.bits(code.rows)
    with code.each(width) as column:
        code.put(_I64(0), "differs", column)
    with code.each(code.count, 1) as number:
        row = code.bits(code.row(number))
        with code.each(width) as column:
            other = code.ir.xor(code.get(row, column), code.get(first, column))
            code.put(code.ir.or_(code.get("differs", column), other), "differs", column)


def _share(code: _Code) -> ir.Value:
    """shared: the lines of the columns that are the same in all rows. varying: the places of the others; how many."""
    varying = code.variable(_I64(0))
    with code.each(code.work["tiles"]) as tile:
        code.put(_TILE([-1] * _TILE.count), "shared", tile)
    with code.each(code.work["places"]) as place:
        column = code.get("columns", place)
        differs = code.ir.icmp_unsigned("!=", code.get("differs", column), _I64(0))
        with code.ir.if_else(differs) as (other, same):
            with other:
                code.put(place, "varying", code.ir.load(varying))
                code.add(_I64(1), varying)
            with same:
                _and_line(code, _line_of(code, place, code.rows), code.work["shared"])
    return code.ir.load(varying)


def _line_of(code: _Code, place: ir.Value, row: ir.Value) -> ir.Value:
    """The table's line for a row's value at a place: behind as many edges as are below it, or the last, for NaN."""
    builder, behind = code.ir, code.ir.add(place, _I64(1))
    value = code.get(row, code.get("columns", place))
    alike = builder.insert_element(ir.Constant(_EDGES, ir.Undefined), value, _I32(0))
    alike = builder.shuffle_vector(alike, alike, ir.Constant(ir.VectorType(_I32, PACK), [0] * PACK))
    spot = code.variable(code.get("begins", place))
    with code.each(code.get("packs", behind), code.get("packs", place)) as pack:
        below = builder.bitcast(builder.fcmp_ordered("<", code.get("edges", pack), alike), ir.IntType(PACK))
        code.add(builder.zext(builder.ctpop(below), _I64), spot)
    last = builder.sub(code.get("begins", behind), _I64(1))
    return code.line("lines", builder.select(builder.fcmp_unordered("uno", value, value), last, builder.load(spot)))


def _and_line(code: _Code, line: ir.Value, into: ir.Value) -> None:
    with code.each(code.work["tiles"]) as tile:
        code.put(code.ir.and_(code.get(into, tile), code.get(line, tile)), into, tile)


_Span = tuple[ir.Value, ir.Value]
"""Of `varying`."""


def _span(code: _Code, begin: ir.Value, varying: ir.Value) -> _Span:
    end = code.ir.add(begin, _I64(TOGETHER))
    return begin, code.ir.select(code.ir.icmp_signed("<", end, varying), end, varying)


def _find_group(code: _Code, span: _Span, into: tuple[ir.Value, ir.Value]) -> None:
    """found: the AND of the lines of up to TOGETHER varying columns, for every row that has values of its own there.

    `into`: the group's sources, which are the places in `found` by row; and how many places are taken.
    """
    builder, (sources, known) = code.ir, into
    with code.each(_I64(1 << SLOT_BITS)) as slot:
        code.put(_I64(_EMPTY), "slots", slot)
    with code.each(code.count) as number:
        row = code.row(number)
        slot = code.at("slots", _hash(code, row, span))
        earlier, differs = builder.load(slot), code.variable(_I64(1))
        with builder.if_then(builder.icmp_signed("!=", earlier, _I64(_EMPTY))):
            builder.store(_differences(code, row, code.row(earlier), span), differs)
            code.put(code.get(sources, earlier), sources, number)
        with builder.if_then(builder.icmp_unsigned("!=", builder.load(differs), _I64(0))):
            place = builder.load(known)
            _look_up(code, row, span, code.line("found", place))
            code.put(place, sources, number)
            builder.store(number, slot)
            code.add(_I64(1), known)


def _and_groups(code: _Code, row: ir.Value, groups: ir.Value, into: ir.Value) -> None:
    """What was found for a row, and what all rows share."""
    with code.each(code.work["tiles"]) as tile:
        code.put(code.get("shared", tile), into, tile)
    with code.each(groups) as group:
        source = code.get("sources", code.ir.add(code.ir.mul(group, code.count), row))
        _and_line(code, code.line("found", source), into)


def _hash(code: _Code, row: ir.Value, span: _Span) -> ir.Value:
    """A slot for a row's values."""
    builder, bits = code.ir, code.bits(row)
    mixed = code.variable(_I64(0))
    with code.each(span[1], span[0]) as spot:
        value = code.get(bits, code.get("columns", code.get("varying", spot)))
        one = builder.xor(builder.load(mixed), value)
        turned = builder.or_(builder.shl(one, _I64(32)), builder.lshr(one, _I64(32)))
        builder.store(builder.mul(turned, _I64(_MIX)), mixed)
    return builder.lshr(builder.load(mixed), _I64(64 - SLOT_BITS))


def _differences(code: _Code, row: ir.Value, other: ir.Value, span: _Span) -> ir.Value:
    """Not 0 if the two are not the same there."""
    builder, one, two = code.ir, code.bits(row), code.bits(other)
    found = code.variable(_I64(0))
    with code.each(span[1], span[0]) as spot:
        column = code.get("columns", code.get("varying", spot))
        builder.store(
            builder.or_(builder.load(found), builder.xor(code.get(one, column), code.get(two, column))), found
        )
    return builder.load(found)


def _look_up(code: _Code, row: ir.Value, span: _Span, into: ir.Value) -> None:
    """The AND of a row's lines there: all of them at once, so that nothing is written in between."""
    builder = code.ir
    with builder.goto_entry_block():
        lines = builder.alloca(_TILE.as_pointer(), TOGETHER)
    for number in range(TOGETHER):
        code.put(code.work["shared"], lines, _I64(number))
    with code.each(span[1], span[0]) as spot:
        code.put(_line_of(code, code.get("varying", spot), row), lines, builder.sub(spot, span[0]))
    found = [code.get(lines, _I64(number)) for number in range(TOGETHER)]
    with code.each(code.work["tiles"]) as tile:
        code.put(reduce(builder.and_, (code.get(line, tile) for line in found)), into, tile)


def _add_up(code: _Code, number: ir.Value, into: tuple[ir.Value, int]) -> None:
    """The sums of the ABREAST rows from `number` on."""
    sums, bits = into
    builder, word = code.ir, ir.IntType(bits)
    lines = [code.line("alive", _I64(beside)) for beside in range(ABREAST)]
    words = [builder.bitcast(line, word.as_pointer()) for line in lines]
    added = [code.variable(_F64(0.0)) for _ in words]
    with code.each(code.work["trees"]) as tree:
        leaves = code.at("leaves", builder.mul(tree, _I64(bits)))
        for alive, total in zip(words, added, strict=True):
            lowest = builder.cttz(code.get(alive, tree), ir.IntType(1)(1))
            leaf = lowest if bits == 64 else builder.zext(lowest, _I64)
            builder.store(builder.fadd(builder.load(total), code.get(leaves, leaf)), total)
    for beside, total in enumerate(added):
        code.put(builder.load(total), sums, builder.add(number, _I64(beside)))
