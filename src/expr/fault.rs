//! What can be wrong with an expression: at check time with a span, at run time with a reason code.

use std::borrow::Cow;

/// A fault found while checking an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprFault {
    /// Stable code of the fault, an entry of `docs/ERRORS.md`.
    pub code: &'static str,
    /// First byte of the offending part in the expression's text.
    pub start: usize,
    /// Byte after the offending part.
    pub end: usize,
    /// What is wrong, with the types on both sides.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl ExprFault {
    /// A fault at `start..end` without help.
    pub fn new(code: &'static str, span: (usize, usize), message: impl Into<String>) -> Self {
        ExprFault {
            code,
            start: span.0,
            end: span.1,
            message: message.into(),
            help: None,
        }
    }

    /// The same fault with a line that says what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A fault of one evaluation: the record's values, never its types. In a box, so that the results of nodes are as small as values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalFault(Box<Told>);

/// What an [`EvalFault`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Stable reason code, the `reason` of a dead letter.
    pub reason: &'static str,
    /// What happened. Values of the record are not part of it.
    pub message: Cow<'static, str>,
}

impl EvalFault {
    /// A fault with this reason.
    #[cold]
    pub fn new(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        EvalFault(Box::new(Told { reason, message }))
    }

    /// What it tells.
    pub fn told(self) -> Told {
        *self.0
    }
}

impl std::ops::Deref for EvalFault {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}
