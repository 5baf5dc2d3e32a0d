//! Rules for header fields, and what they do to an answer.

use http::header::{Entry, HeaderMap, HeaderName, HeaderValue};

use super::story::Story;
use crate::template::Template;

/// What happens to one field.
#[derive(Clone, Debug)]
pub struct HeaderRule {
    /// The field.
    pub name: HeaderName,
    /// What happens to it.
    pub action: HeaderAction,
    /// On answers of every status (nginx `always`)? Requests have none.
    pub always: bool,
}

/// What happens to a field. A value that renders to nothing is no value.
#[derive(Clone, Debug)]
pub enum HeaderAction {
    /// It has this value and no other (nginx `proxy_set_header`); without a value it is removed.
    Set(Template),
    /// It is added to those that are there (nginx `add_header`).
    Add(Template),
    /// It is set if it is not there.
    Default(Template),
    /// It is removed (nginx `proxy_hide_header`).
    Remove,
}

impl HeaderAction {
    /// The value, if there is one.
    #[must_use]
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Set(value) | Self::Add(value) | Self::Default(value) => Some(value),
            Self::Remove => None,
        }
    }
}

impl HeaderRule {
    /// Do the fields of this name that came disappear?
    pub(super) fn replaces(&self, name: &HeaderName) -> bool {
        self.name == *name && matches!(self.action, HeaderAction::Set(_) | HeaderAction::Remove)
    }

    fn holds_for(&self, status: u16) -> bool {
        // Where nginx's `add_header` acts without `always`.
        self.always || matches!(status, 200 | 201 | 204 | 206 | 301..=304 | 307 | 308)
    }
}

impl Story {
    /// Applies the route's rules to the fields of the answer.
    pub(super) fn change_answer_headers(&mut self, rules: &[HeaderRule], headers: &mut HeaderMap) {
        // While the rules are applied, `$sent_http_...` sees what they have done so far.
        std::mem::swap(&mut self.answer_headers, headers);
        for rule in rules.iter().filter(|rule| rule.holds_for(self.status)) {
            let value = rule.action.template().and_then(|value| self.header_value(value));
            let (name, fields) = (rule.name.clone(), &mut self.answer_headers);
            match (&rule.action, value) {
                (HeaderAction::Remove | HeaderAction::Set(_), None) => drop(fields.remove(name)),
                (HeaderAction::Set(_), Some(value)) => drop(fields.insert(name, value)),
                (HeaderAction::Add(_), Some(value)) => drop(fields.append(name, value)),
                (HeaderAction::Default(_), Some(value)) => {
                    if let Entry::Vacant(vacant) = fields.entry(name) {
                        vacant.insert(value);
                    }
                }
                (_, None) | (HeaderAction::Remove, Some(_)) => {}
            }
        }
        std::mem::swap(&mut self.answer_headers, headers);
    }

    /// The value of a field; none if it is empty, or if a variable brought in what would break
    /// the head.
    pub(super) fn header_value(&self, template: &Template) -> Option<HeaderValue> {
        self.worker.with_scratch(|value| {
            template.render(self, value);
            HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty())
        })
    }
}
