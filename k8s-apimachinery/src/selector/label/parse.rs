//! The text form of label selectors, as in `?labelSelector=`.

use std::{iter::Peekable, str::FromStr, vec};

use super::{LabelSelector, LabelSelectorError, Operator, Requirement};

impl FromStr for LabelSelector {
    type Err = LabelSelectorError;

    fn from_str(text: &str) -> Result<Self, LabelSelectorError> {
        let requirements = Parser {
            tokens: tokens(text).into_iter().peekable(),
        }
        .requirements()?;
        Self::try_new(requirements)
            .map_err(|error| LabelSelectorError(format!("unable to parse requirement: {error}")))
    }
}

/// An operator or punctuation mark, or a word. The keywords `in` and `notin` are words too: they may be keys and values.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Mark(&'static str),
    Word(String),
}

/// Longest first, so that `==` isn't read as two.
const MARKS: [&str; 9] = ["==", "!=", "=", "!", ">", "<", "(", ")", ","];

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            tokens.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
        } else {
            let is_end = |c: char| c.is_whitespace() || "=!><(),".contains(c);
            let end = rest.find(is_end).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    tokens
}

struct Parser {
    tokens: Peekable<vec::IntoIter<Token>>,
}

impl Parser {
    fn requirements(mut self) -> Result<Vec<Requirement>, LabelSelectorError> {
        let mut requirements = Vec::new();
        if self.tokens.peek().is_none() {
            return Ok(requirements);
        }
        loop {
            match self.tokens.peek() {
                Some(Token::Word(_) | Token::Mark("!")) => {}
                _ if requirements.is_empty() => {
                    return Err(self.expected("!, identifier, or 'end of string'"));
                }
                _ => return Err(self.expected("identifier after ','")),
            }
            let requirement = self.requirement();
            requirements.push(requirement.map_err(|error| {
                LabelSelectorError(format!("unable to parse requirement: {error}"))
            })?);
            match self.tokens.peek() {
                None => return Ok(requirements),
                Some(Token::Mark(",")) => self.tokens.next(),
                Some(_) => return Err(self.expected("',' or 'end of string'")),
            };
        }
    }

    fn requirement(&mut self) -> Result<Requirement, LabelSelectorError> {
        let is_negated = self.tokens.next_if_eq(&Token::Mark("!")).is_some();
        let Some(Token::Word(key)) = self.tokens.next_if(|token| matches!(token, Token::Word(_)))
        else {
            return Err(self.expected("identifier"));
        };
        if is_negated {
            return Ok(Requirement {
                key,
                operator: Operator::DoesNotExist,
                values: Vec::new(),
            });
        }
        let operator = match self.tokens.peek() {
            None | Some(Token::Mark(",")) => {
                return Ok(Requirement {
                    key,
                    operator: Operator::Exists,
                    values: Vec::new(),
                });
            }
            Some(Token::Mark("=" | "==")) => Operator::Equals,
            Some(Token::Mark("!=")) => Operator::NotEquals,
            Some(Token::Mark(">")) => Operator::Gt,
            Some(Token::Mark("<")) => Operator::Lt,
            Some(Token::Word(word)) if word == "in" => Operator::In,
            Some(Token::Word(word)) if word == "notin" => Operator::NotIn,
            Some(_) => return Err(self.expected("in, notin, =, ==, !=, gt, lt")),
        };
        self.tokens.next();
        let values = match operator {
            Operator::In | Operator::NotIn => self.list()?,
            _ => vec![self.value()?],
        };
        Ok(Requirement {
            key,
            operator,
            values,
        })
    }

    /// The value after `=`; nothing stands for the empty text.
    fn value(&mut self) -> Result<String, LabelSelectorError> {
        match self.tokens.peek() {
            None | Some(Token::Mark(",")) => Ok(String::new()),
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.tokens.next();
                Ok(word)
            }
            Some(_) => Err(self.expected("identifier")),
        }
    }

    /// `(a,b)`. Between two commas, or a comma and a parenthesis, stands the empty text.
    fn list(&mut self) -> Result<Vec<String>, LabelSelectorError> {
        if self.tokens.next_if_eq(&Token::Mark("(")).is_none() {
            return Err(self.expected("'('"));
        }
        let mut values = Vec::new();
        let mut pending: Option<String> = None;
        loop {
            match self.tokens.peek() {
                Some(Token::Word(word)) if pending.is_none() => pending = Some(word.clone()),
                Some(Token::Mark(",")) => values.push(pending.take().unwrap_or_default()),
                Some(Token::Mark(")")) => {
                    self.tokens.next();
                    values.push(pending.unwrap_or_default());
                    values.sort_unstable();
                    values.dedup();
                    return Ok(values);
                }
                _ => return Err(self.expected("',', ')' or identifier")),
            }
            self.tokens.next();
        }
    }

    fn expected(&mut self, what: &str) -> LabelSelectorError {
        let found = match self.tokens.peek() {
            None => "",
            Some(Token::Mark(mark)) => mark,
            Some(Token::Word(word)) => word,
        };
        LabelSelectorError(format!("found '{found}', expected: {what}"))
    }
}
