//! Loops whose every turn takes long: it must not be cheap to ask for a million of them.

/// Their names and texts.
pub(crate) fn costly() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let turns =
        |body: &str| format!("for int i in [0:999] {{ for int j in [0:900] {{ {body} }} }}");
    let sum = format!("1{}", "+1".repeat(990));
    for (name, body) in [
        (
            "long bounds in loops",
            format!("for int k in [{sum}:0] {{ }}"),
        ),
        (
            "long sets in loops",
            format!("for int k in {{{sum}}} {{ }}"),
        ),
        (
            "long widths in loops",
            format!("for int[{sum} - 950] k in [1:0] {{ }}"),
        ),
        ("long exponents in loops", format!("pow({sum}) @ h q[0];")),
        (
            "long counts of controls in loops",
            format!("ctrl({sum} - 990) @ x q[0], q[1];"),
        ),
        (
            "long numbers in conditions in loops",
            format!("if ({sum} < 0) {{ }}"),
        ),
    ] {
        all.push((name, turns(&body)));
    }
    let names: Vec<_> = (0..9_000).map(|number| format!("p{number}")).collect();
    let ones = vec!["1"; 9_000].join(",");
    let gate = format!("gate g({}) a {{ }} ", names.join(","));
    let call = turns(&format!("g({ones}) q[0];"));
    all.push(("thousands of arguments in loops", format!("{gate}{call}")));
    let terms: Vec<_> = (0..900).map(|bit| format!("m[{bit}]")).collect();
    let choice = turns(&format!("if ({}) {{ }}", terms.join(" && ")));
    let head = "qubit[1000] r; bit[1000] m; m = measure r; ";
    all.push(("long conditions in loops", format!("{head}{choice}")));
    let same = "m[0] && ".repeat(900);
    let choice = turns(&format!("if ({same}m[0]) {{ }}"));
    all.push((
        "one bit asked for a thousand times",
        format!("{head}{choice}"),
    ));
    let chain = turns(&format!("{}g q[0];", "inv @ pow(2) @ ".repeat(8)));
    all.push((
        "modifiers of nothing in loops",
        format!("gate g a {{ }} {chain}"),
    ));
    let qubits: Vec<_> = (0..1_000).map(|qubit| format!("a{qubit}")).collect();
    let given: Vec<_> = (0..1_000).map(|qubit| format!("r[{qubit}]")).collect();
    let gate = format!("qubit[1000] r; gate g {} {{ }} ", qubits.join(","));
    let call = turns(&format!("g {};", given.join(",")));
    all.push(("a thousand qubits in loops", format!("{gate}{call}")));
    all
}
