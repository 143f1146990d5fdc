//! Loops whose every turn takes long: it must not be cheap to ask for a million of them.

/// Their names and texts.
pub(crate) fn costly() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let turns =
        |body: &str| format!("for int i in [0:999] {{ for int j in [0:900] {{ {body} }} }}");
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
