//! Where a walk through an object stands: linked through the stack, rendered only when something is wrong.

use std::fmt;

/// A place in an object. Displayed as in strict decoding errors: `spec.containers[0].image`.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(super) const ROOT: Path<'static> = Path {
        parent: None,
        step: Step::Root,
    };

    pub(super) fn name(&'a self, name: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    pub(super) fn index(&'a self, index: usize) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match (self.step, self.parent) {
            (Step::Root, _) => Ok(()),
            (Step::Index(i), _) => write!(f, "[{i}]"),
            (
                Step::Name(name),
                Some(Path {
                    step: Step::Root, ..
                }),
            ) => f.write_str(name),
            (Step::Name(name), _) => write!(f, ".{name}"),
        }
    }
}
