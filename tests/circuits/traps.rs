//! Texts that are made to break a reader: too deep, too long, too large, growing without end.

use crate::turns;

/// Levels that no stack holds.
const DEEP: usize = 50_000;
/// Bytes of the longest text that the kernel takes.
const LONG: usize = 4 << 20;

const HEAD: &str = "OPENQASM 3.0; include \"stdgates.inc\"; qubit[4] q; bit[4] c; ";
const HEAD_TWO: &str = "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[4]; creg c[4]; ";

/// A text and what is bad about it.
#[derive(Debug)]
pub(crate) struct Trap {
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
}

/// All of them.
pub(crate) fn all() -> Vec<Trap> {
    let mut traps = Traps(Vec::new());
    traps.nested();
    traps.long();
    traps.large_numbers();
    traps.growing_gates();
    traps.loops();
    traps.many_names();
    traps.many_measured();
    for (name, text) in turns::costly() {
        traps.add(name, &text);
    }
    traps.bytes();
    traps.files();
    traps.0
}

struct Traps(Vec<Trap>);

impl Traps {
    fn raw(&mut self, name: &str, text: impl Into<Vec<u8>>) {
        self.0.push(Trap {
            name: name.to_owned(),
            text: text.into(),
        });
    }

    fn add(&mut self, name: &str, body: &str) {
        self.raw(name, format!("{HEAD}{body}"));
    }

    fn two(&mut self, name: &str, body: &str) {
        self.raw(name, format!("{HEAD_TWO}{body}"));
    }

    fn nested(&mut self) {
        let inside = |before: &str, open: &str, middle: &str, close: &str, after: &str| {
            let (open, close) = (open.repeat(DEEP), close.repeat(DEEP));
            format!("{before}{open}{middle}{close}{after}")
        };
        for (open, close) in [("(", ")"), ("-", ""), ("- ", ""), ("+", ""), ("sin(", ")")] {
            let angle = inside("rx(", open, "1", close, ") q[0];");
            self.add(&format!("{open} in an angle"), &angle);
            self.two(&format!("{open} in an angle of version 2"), &angle);
            let never = inside("rx(", open, "", "", "");
            self.add(&format!("{open} without an end"), &never);
            let own = inside("gate g(a) x { rx(", open, "a", close, ") x; } g(1) q[0];");
            self.add(&format!("{open} in a gate"), &own);
        }
        for open in [
            "{", "[", "}", ")", "q[", "q[{", "1:", ":", ",", "@", "!", "/*", "\"", "'",
        ] {
            self.add(&format!("{open} alone"), &open.repeat(DEEP));
            let in_index = inside("x q[", open, "", "", "");
            self.add(&format!("{open} in an index"), &in_index);
        }
        for (open, close) in [
            ("for int i in [0:1] {", "}"),
            ("for int i in [0:1] ", ""),
            ("if (c == 1) {", "}"),
            ("if (c[0]) ", ""),
            ("if (c[0]) { x q[1]; } else ", ""),
            ("gate g a {", "}"),
            ("inv @ ", ""),
            ("ctrl @ ", ""),
            ("negctrl(2) @ ", ""),
            ("pow(2) @ ", ""),
            ("pow(", ")"),
            ("/* x */ ", ""),
            ("// x\n", ""),
        ] {
            self.add(open, &inside("", open, "x q[2];", close, ""));
        }
        self.add(
            "conditions",
            &inside("if (", "(", "c == 1", ")", ") x q[0];"),
        );
        self.add("denials", &inside("if (", "!", "c[0]", "", ") x q[0];"));
    }

    fn long(&mut self) {
        let filled = |before: &str, part: &str, after: &str| {
            let count = (LONG - before.len() - after.len()) / part.len();
            format!("{before}{}{after}", part.repeat(count))
        };
        for (name, before, part, after) in [
            ("a name", "gate ", "n", " x { }"),
            ("an unknown gate", "", "N", " q[0];"),
            ("blanks", "", " ", "oops"),
            ("lines", "", "\n", "oops"),
            ("comments", "", "//\n", "oops"),
            ("digits", "rx(", "9", ") q[0];"),
            ("digits behind a point", "rx(0.", "3", ") q[0];"),
            ("digits with lines", "rx(", "1_", "1) q[0];"),
            ("hexadecimal digits", "rx(0x", "f", ") q[0];"),
            ("a quotation", "include \"", "a", "\";"),
            ("a sum", "rx(1", "+1", ") q[0];"),
            ("a power", "rx(1", "**1", ") q[0];"),
            ("operands", "barrier q", ",q", ";"),
            ("operands of a gate", "x q", ",q", ";"),
            ("arguments", "rx(1", ",1", ") q[0];"),
            ("indices", "x q[{0", ",0", "}];"),
            ("a set of a loop", "for int i in {0", ",1", "} x q[i];"),
            ("an alias", "let a = q", "++q", ";"),
            ("a condition", "if (c[0]", "&&c[0]", ") x q[1];"),
            ("one gate after another", "", "x q[0];", ""),
            ("gates on a line that goes wrong", "", "x q[0];", "x q[9];"),
            ("turns", "", "rx(pi/4) q[1];", ""),
            ("measurements", "", "c = measure q;", ""),
            ("resets", "", "reset q;", ""),
            ("barriers", "", "barrier q;", ""),
            ("includes", "", "include \"qelib1.inc\";", ""),
            ("letters of two bytes", "", "é", ""),
            ("marks", "", "@", ""),
            ("dots", "", ".", ""),
            ("semicolons", "", ";", ""),
        ] {
            self.add(&format!("4 MiB of {name}"), &filled(before, part, after));
        }
        self.raw("4 MiB of versions", filled("", "OPENQASM ", ""));
        self.two("4 MiB of version 2", &filled("", "cx q[0],q[1];", ""));
    }

    fn large_numbers(&mut self) {
        for number in [
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "99999999999999999999999999",
            "9e18",
            "9e15",
            "1e308",
            "1e309",
            "-1",
            "-9223372036854775807 - 1",
            "0",
            "0.5",
            "1e-400",
            "1000000",
            "1.0/0.0",
            "0.0/0.0",
        ] {
            for (name, before, after) in [
                ("an angle", "rx(", ") q[0];"),
                ("an exponent", "pow(", ") @ x q[0];"),
                ("an exponent of a phase", "pow(", ") @ gphase(1);"),
                ("an exponent of nothing", "pow(", ") @ id q[0];"),
                ("a number of controls", "ctrl(", ") @ x q[0], q[1];"),
                ("a size", "qubit[", "] r;"),
                ("a number of bits", "bit[", "] r;"),
                ("an index", "x q[", "];"),
                ("an end", "x q[0:", "];"),
                ("a begin", "x q[", ":3];"),
                ("a step", "x q[0:", ":3];"),
                ("a loop", "for int i in [0:", "] { }"),
                (
                    "a loop's begin",
                    "for int i in [",
                    ":9223372036854775807] { }",
                ),
                (
                    "a loop's step",
                    "for int i in [0:",
                    ":9223372036854775807] { }",
                ),
                ("a comparison", "c = measure q; if (c == ", ") x q[0];"),
                ("a power of it", "rx((", ")**99999) q[0];"),
                ("a negative of it", "rx(-(", ")) q[0];"),
                ("a quotient of it", "rx((", ")/-1) q[0];"),
                ("a rest of it", "rx((", ") % -1) q[0];"),
                ("a product of it", "int n = (", ") * 3; rx(n) q[0];"),
                ("a whole number of it", "rx(int(", ")) q[0];"),
            ] {
                self.add(
                    &format!("{number} as {name}"),
                    &format!("{before}{number}{after}"),
                );
            }
        }
    }

    fn growing_gates(&mut self) {
        let sum = vec!["a"; 1000].join("+");
        for (name, first, next) in [
            ("gates", "h x;", "{g}(a) x; {g}(a) x;"),
            ("nothing", "", "{g}(a) x; {g}(a) x;"),
            ("sums", "", "{g}({sum}) x; {g}(a) x;"),
            ("powers", "h x;", "pow(1000) @ {g}(a) x;"),
            ("powers of nothing", "", "pow(1000) @ {g}(a) x;"),
            (
                "powers of a phase",
                "gphase(a);",
                "pow(9000000000000) @ {g}(a) x;",
            ),
            ("undone powers", "h x;", "inv @ pow(-100) @ {g}(a) x;"),
        ] {
            let mut text = format!("gate g0(a) x {{ {first} }} ");
            for level in 1..=60 {
                let body = next.replace("{g}", &format!("g{}", level - 1));
                let body = body.replace("{sum}", &sum);
                text += &format!("gate g{level}(a) x {{ {body} }} ");
            }
            self.add(
                &format!("60 levels of {name}"),
                &format!("{text} g60(0.1) q[0];"),
            );
        }
        let chain: String = (1..=DEEP)
            .map(|level| format!("gate g{level} x {{ g{} x; }} ", level - 1))
            .collect();
        self.add("a chain of gates", &format!("gate g0 x {{ h x; }} {chain}"));
        let wide = "qubit[17] r; ";
        let all: Vec<_> = (0..17).map(|qubit| format!("r[{qubit}]")).collect();
        let all = all.join(", ");
        for gate in ["x", "h", "rx(1)", "U(1, 2, 3)"] {
            self.add(
                &format!("16 controls of {gate}"),
                &format!("{wide}ctrl(16) @ {gate} {all};"),
            );
            let nothing = format!(
                "{wide}for int i in [0:999] {{ pow(0) @ ctrl(11) @ {gate} {}; }}",
                all.splitn(13, ", ").take(12).collect::<Vec<_>>().join(", ")
            );
            self.add(&format!("nothing of 11 controls of {gate}"), &nothing);
        }
        let nothing = "for int i in [0:999] { pow(0) @ pow(1000000) @ x q[0]; }";
        self.add("nothing of a million", nothing);
        let doubled = "for int i in [0:999999] { inv @ inv @ inv @ inv @ sx q[0]; }";
        self.add("inverses of a root", doubled);
    }

    fn loops(&mut self) {
        let inside = "for int i in [0:999999] { for int j in [0:999999] { ";
        for (name, body) in [
            ("nothing", ""),
            ("gates", "x q[0];"),
            ("barriers", "barrier q;"),
            ("constants", "const int k = i*j;"),
        ] {
            self.add(
                &format!("loops of {name}"),
                &format!("{inside}{body} }} }}"),
            );
            let own = format!(
                "gate g x {{ {inside}{} }} }} }} g q[0];",
                body.replace("q[0]", "x")
            );
            self.add(&format!("loops of {name} in a gate"), &own);
        }
        let empty = "for int i in [0:9999] { for int j in [0:999999] { for int k in [1:0] { } } }";
        self.add(
            "loops of empty loops in a gate",
            &format!("gate g x {{ {empty} }}"),
        );
        self.add("loops of empty loops", empty);
        let sum = vec!["i"; 1000].join("+");
        let angles = format!("for int i in [0:900000] {{ rx({sum}) q[0]; }}");
        self.add("long sums in a loop", &angles);
        let ifs = "c = measure q; for int i in [0:900000] { if (c[0]) { rx(1) q[1]; } }";
        self.add("conditions in a loop", ifs);
        let indices = format!("for int i in [0:900000] {{ barrier q[{sum} - 1000*i]; }}");
        self.add("long indices in a loop", &indices);
    }

    fn many_names(&mut self) {
        let list = |prefix: &str, count: usize| {
            let names: Vec<_> = (0..count).map(|place| format!("{prefix}{place}")).collect();
            names.join(",")
        };
        let each = |count: usize, text: &dyn Fn(usize) -> String| -> String {
            (0..count).map(text).collect()
        };
        let many = DEEP;
        let last = many - 1;
        let parameters = list("p", many);
        let uses = format!("rx(p{last}) x; ").repeat(many);
        self.add(
            "many parameters",
            &format!("gate g({parameters}) x {{ {uses} }}"),
        );
        let qubits = list("a", many);
        let uses = format!("cx a{last}, a{}; ", last - 1).repeat(many);
        self.add(
            "many qubits of a gate",
            &format!("gate g {qubits} {{ {uses} }}"),
        );
        let passed = format!("gate g {qubits} {{ }} gate f {qubits} {{ g {qubits}; }}");
        self.add("many qubits passed on", &passed);
        let some = list("p", 5000);
        let values = vec!["1"; 5000].join(",");
        let uses = "rx(p4999) x; ".repeat(5000);
        let calls = format!("g({values}) q[0]; ").repeat(100);
        self.add(
            "many values",
            &format!("gate g({some}) x {{ {uses} }} {calls}"),
        );
        self.add(
            "many constants",
            &each(many, &|place| format!("const int k{place} = 1;")),
        );
        self.add(
            "many gates",
            &each(many, &|place| format!("gate g{place} x {{ h x; }}")),
        );
        self.add(
            "many qubits",
            &each(many, &|place| format!("qubit r{place};")),
        );
        self.add("many bits", &each(many, &|place| format!("bit r{place};")));
        let alias = |place| format!("let a{place} = r[0:499] ++ r[500:999];");
        self.add(
            "many aliases",
            &format!("qubit[1000] r; {}", each(many, &alias)),
        );
        let parts: Vec<_> = (0..1000).map(|place| format!("r[{place}]")).collect();
        let parts = parts.join("++");
        let alias = |place| format!("let a{place} = {parts};");
        self.add(
            "aliases of many parts",
            &format!("qubit[1000] r; {}", each(500, &alias)),
        );
    }

    fn many_measured(&mut self) {
        let head = "qubit[1000] r; bit[4000] m; m[0:999] = measure r; m[1000:1999] = measure r; \
                    m[2000:2999] = measure r; m[3000:3999] = measure r; ";
        let count = 300_000;
        self.add(
            "gates after measurements",
            &format!("{head}{}", "x q[0];".repeat(count)),
        );
        self.add(
            "a loop after measurements",
            &format!("{head} for int i in [0:900000] x q[0];"),
        );
        self.add(
            "registers after measurements",
            &format!("{head}{}", "x r;".repeat(1000)),
        );
        let pairs = "cx r[0:499], r[500:999];".repeat(2000);
        self.add("pairs after measurements", &format!("{head}{pairs}"));
        self.add(
            "resets after measurements",
            &format!("{head}{}", "reset r[0];".repeat(count)),
        );
        let wide = "if (m == 0) { pow(900000) @ x q[0]; }";
        self.add("a wide condition on many gates", &format!("{head}{wide}"));
        self.add(
            "a wide condition",
            &format!("{head} if (m == 0) {{ h q[0]; }}"),
        );
        let wide = "if (m == 0) { pow(0) @ x q[0]; }".repeat(DEEP);
        self.add("wide conditions on nothing", &format!("{head}{wide}"));
        self.add(
            "measurements again",
            &format!("{head}{}", "m[0:999] = measure r;".repeat(DEEP)),
        );
    }

    fn bytes(&mut self) {
        let mut broken = HEAD.as_bytes().to_vec();
        broken.resize(LONG, b' ');
        broken.push(0xff);
        self.raw("4 MiB and a byte that is no text", broken);
        self.raw("4 MiB of nothing", vec![0; LONG]);
        self.raw("4 MiB of no text", vec![0xff; LONG]);
        self.raw("no text at all", Vec::new());
        for bytes in [
            &b"\xc0\x80"[..],
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xae",
            b"\0",
            b"\x1b[2J",
            b"\xf0\x9f\x92\xa9",
        ] {
            let text = [HEAD.as_bytes(), b"x q[0]; ", bytes, b" x q[1];"].concat();
            self.raw(&format!("{bytes:?}"), text);
            self.raw(
                &format!("{bytes:?} first"),
                [bytes, HEAD.as_bytes()].concat(),
            );
        }
    }

    fn files(&mut self) {
        for file in [
            "/etc/passwd",
            "../../../../etc/passwd",
            "file:///etc/passwd",
            "/dev/zero",
            "/dev/stdin",
            "/proc/self/mem",
            "qelib1.inc/../../etc/passwd",
            "./qelib1.inc",
            "/usr/share/qelib1.inc",
            "QELIB1.INC",
            "qelib1.inc\0",
            "",
        ] {
            self.add(
                &format!("include {file:?}"),
                &format!("include \"{file}\";"),
            );
        }
    }
}
