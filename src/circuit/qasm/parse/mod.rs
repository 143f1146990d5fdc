//! From words to statements, one at a time: a program is never held as a whole.

use super::fault::{Fault, Span, quoted};
use super::syntax::{Expression, Language, Name, Statement};
use super::token::{Kind, Lexer, Token};

mod declaration;
mod expression;
mod operand;
mod statement;
mod unsupported;

/// How deep parentheses and blocks may be nested. Each level takes a few calls on the stack.
const DEPTH_MAX: u32 = 100;
/// How many entries a list may have: operands, arguments, the values of a set.
const ITEMS_MAX: usize = 10_000;
/// How many operators and calls one expression may have.
const TERMS_MAX: u32 = 1000;

/// Reads statements.
#[derive(Debug)]
pub(super) struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token<'t>,
    /// The last word that was taken.
    before: Span,
    /// Whether the present word stands on another line than that.
    on_new_line: bool,
    language: Language,
    depth: u32,
    terms: u32,
    /// Whether a relation may follow the expression that is read.
    comparing: bool,
}

impl<'t> Parser<'t> {
    /// Reads the version, if there is one. Without one, the text is OpenQASM 3: that is where the
    /// version may be left out.
    pub(super) fn begin(text: &'t str) -> Result<Self, Fault> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        let before = Span { from: 0, to: 0 };
        let language = Language::Three;
        let mut parser = Self {
            lexer,
            token,
            before,
            on_new_line: false,
            language,
            depth: 0,
            terms: 0,
            comparing: false,
        };
        if parser.take_word("OPENQASM")?.is_some() {
            parser.language = parser.version()?;
        }
        Ok(parser)
    }

    /// Reads a text that is one expression in the notation of OpenQASM 3.
    pub(super) fn expression_in(text: &'t str) -> Result<Expression<'t>, Fault> {
        let mut parser = Self::begin(text)?;
        let expression = parser.expression()?;
        match parser.token.kind {
            Kind::End => Ok(expression),
            _ => Err(parser.unexpected("the end of the text")),
        }
    }

    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// The next statement; `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<Statement<'t>>, Fault> {
        match self.token.kind {
            Kind::End => Ok(None),
            _ => self.statement().map(Some),
        }
    }

    fn version(&mut self) -> Result<Language, Fault> {
        let span = self.token.span;
        let language = match self.token.kind {
            Kind::Float(2.0) | Kind::Integer(2) => Language::Two,
            Kind::Float(3.0 | 3.1) | Kind::Integer(3) => Language::Three,
            _ => {
                let message = "this version is not supported: write OPENQASM 2.0; or OPENQASM 3.0;";
                return Err(Fault::new(span, message));
            }
        };
        self.advance()?;
        self.expect(";")?;
        Ok(language)
    }

    /// Takes the present word.
    fn advance(&mut self) -> Result<Token<'t>, Fault> {
        let taken = self.token;
        self.token = self.lexer.next()?;
        self.on_new_line = self.lexer.has_line_between(taken.span, self.token.span);
        self.before = taken.span;
        Ok(taken)
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.token.kind, Kind::Mark(found) if found == mark)
    }

    /// Takes this mark if it stands here.
    fn take(&mut self, mark: &str) -> Result<bool, Fault> {
        let found = self.is(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes this keyword if it stands here, and says where.
    fn take_word(&mut self, word: &str) -> Result<Option<Span>, Fault> {
        match self.token.kind {
            Kind::Name(found) if found == word => self.advance().map(|token| Some(token.span)),
            _ => Ok(None),
        }
    }

    /// Takes this mark, which must stand here.
    fn expect(&mut self, mark: &'static str) -> Result<Span, Fault> {
        if self.is(mark) {
            return Ok(self.advance()?.span);
        }
        // What is missing at the end of a statement is missed after its last word.
        if matches!(mark, ";" | ")" | "]" | "}") {
            let found = self.shown();
            let missing = match (mark, self.token.kind) {
                (";", Kind::Name(_)) if !self.on_new_line => "a , or a ;",
                (";", _) => "a ;",
                (other, _) => other,
            };
            let message = format!("{missing} is missing here, before {found}");
            return Err(Fault::new(self.before.end(), message));
        }
        Err(self.unexpected(mark))
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let message = format!("expected {wanted}, found {}", self.shown());
        Fault::new(self.token.span, message)
    }

    /// The present word as a message names it.
    fn shown(&self) -> String {
        match self.token.kind {
            Kind::End => "the end of the text".to_owned(),
            Kind::Name(name) => quoted(name),
            Kind::Text(text) => format!("\"{}\"", quoted(text)),
            Kind::Integer(number) => number.to_string(),
            Kind::Float(number) => number.to_string(),
            Kind::Mark(mark) => mark.to_owned(),
        }
    }

    /// Takes a name that the program gives to something.
    fn name(&mut self, of: &str) -> Result<Name<'t>, Fault> {
        match self.token.kind {
            Kind::Name(text) if !unsupported::is_keyword(text) => {
                let span = self.advance()?.span;
                Ok(Name { text, span })
            }
            Kind::Name(text) => {
                let message = format!("{text} is a word of the language and cannot name {of}");
                Err(Fault::new(self.token.span, message))
            }
            _ => Err(self.unexpected(&format!("the name of {of}"))),
        }
    }

    /// A list up to `end`, which is taken too. A comma may follow the last item.
    fn list<T>(
        &mut self,
        end: &'static str,
        item: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let items = self.items(end, item)?;
        self.expect(end)?;
        Ok(items)
    }

    /// The items of a list that `end` follows, if nothing is missing.
    fn items<T>(
        &mut self,
        end: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items = Vec::new();
        while !self.is(end) {
            if items.len() == ITEMS_MAX {
                let message = format!("this list has more than {ITEMS_MAX} entries: part it");
                return Err(Fault::new(self.token.span, message));
            }
            items.push(item(self)?);
            if !self.take(",")? {
                break;
            }
        }
        Ok(items)
    }

    /// One level further in, up to a bound: the stack is finite and a text is not.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            let message = format!("this is nested more than {DEPTH_MAX} levels deep: part it");
            return Err(Fault::new(self.token.span, message));
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }
}
