//! Several authorizers, asked in order: the first that allows or denies has decided.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Attributes, Authorizer, Decision};

/// Authorizers in order. If none has an opinion, their reasons stand one on a line.
#[derive(Clone, Default)]
pub struct Chain(pub Vec<Arc<dyn Authorizer>>);

#[async_trait]
impl Authorizer for Chain {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(attributes).await {
                Decision::NoOpinion(reason) if reason.is_empty() => {}
                Decision::NoOpinion(reason) => reasons.push(reason),
                decided => return decided,
            }
        }
        Decision::NoOpinion(reasons.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::User;

    struct Says(Decision);

    #[async_trait]
    impl Authorizer for Says {
        async fn authorize(&self, _: &Attributes<'_>) -> Decision {
            self.0.clone()
        }
    }

    #[track_caller]
    fn check(said: &[Decision], want: Decision) {
        let all = said.iter().cloned().map(|each| Arc::new(Says(each)) as _);
        let user = User::new("jane");
        let chain = Chain(all.collect());
        let decided = futures::executor::block_on(chain.authorize(&Attributes::resource(&user)));
        assert_eq!(decided, want);
    }

    #[test]
    fn the_first_with_an_opinion_decides() {
        let none = |reason: &str| Decision::NoOpinion(reason.to_owned());
        let (allow, deny) = (Decision::Allow("a".into()), Decision::Deny("d".into()));
        check(&[none("x"), allow.clone(), deny.clone()], allow.clone());
        check(&[none("x"), deny.clone(), allow], deny);
        check(&[none("x"), none(""), none("y")], none("x\ny"));
        check(&[], none(""));
    }
}
