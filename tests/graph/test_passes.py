"""What passes tell about themselves."""

from __future__ import annotations

from onnx_ir.passes import common as common_passes

from converter.graph.build import name_nodes
from converter.graph.passes import Lines, PassReport, library_pass
from tests.passes import from_text


def test_lines() -> None:
    node = from_text("m (float[N,4] x) => (float[N,4] y) { [first] y = Relu(x) }").graph[0]
    lines = Lines("try")
    assert lines.report() == PassReport("try")
    lines.changed(node, "is another one")
    lines.changed("input 'x'", "is free")
    lines.declined(node, "it is good as it is")
    assert lines.report() == PassReport(
        "try", ("Relu 'first': is another one", "input 'x': is free"), ("Relu 'first': it is good as it is",)
    )


def test_whether_anything_changed() -> None:
    assert PassReport("a", changed=("what",))
    assert not PassReport("a", declined=("why",))


def test_passes_of_a_library_report_by_type() -> None:
    names = ["a", "b", "c", "d", "e"]
    chain = "  ".join(
        f"[{name}] {name} = Identity({before})" for before, name in zip(["x", *names], names, strict=False)
    )
    model = from_text(f"m (float[N,4] x) => (float[N,4] y) {{ {chain}  r = Neg(x)  y = Relu(e) }}")
    removed = library_pass("unused", common_passes.RemoveUnusedNodesPass(), "removed: nothing needs it")(model)
    assert removed == PassReport("unused", ("Neg 'r': removed: nothing needs it",))
    eliminate = library_pass("eliminate Identity", common_passes.IdentityEliminationPass())
    (line,) = eliminate(model).changed
    assert line.startswith("Identity '")
    assert line.endswith("and 2 more: removed")
    assert eliminate(model) == PassReport("eliminate Identity")


def test_new_names_are_no_new_nodes() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { [same] a = Relu(x)  y = Neg(a) }")
    model.graph[1].name = "same"
    assert library_pass("name nodes", name_nodes)(model) == PassReport("name nodes")
    assert [node.name for node in model.graph] == ["same", "same_"]
