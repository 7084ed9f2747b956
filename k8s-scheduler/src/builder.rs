//! Putting a scheduler together: profiles, further plugins, a seed.

use std::sync::Arc;

use k8s_runtime::Context;

use crate::{
    config::Profile, framework::Plugin, plugins::DefaultBinder, scheduler::Scheduler,
    waiting::WaitingPods,
};

/// Puts a [`Scheduler`] together.
pub struct Builder {
    ctx: Context,
    profiles: Vec<Profile>,
    waiting: WaitingPods,
    seed: u64,
}

impl Builder {
    pub(crate) fn new(ctx: Context) -> Self {
        Self {
            ctx,
            profiles: Vec::new(),
            waiting: WaitingPods::default(),
            seed: rand::random(),
        }
    }

    /// Adds a profile, in place of one of the same name.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profiles
            .retain(|other| other.scheduler_name != profile.scheduler_name);
        self.profiles.push(profile);
        self
    }

    /// Adds a plugin to the profile that was added last (the default one, if none was).
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        let profile = self.profiles.pop().unwrap_or_default();
        self.profiles.push(profile.with(plugin));
        self
    }

    /// The list in which pods wait for Permit plugins, to share with the plugin that lets them go.
    pub fn waiting(mut self, waiting: WaitingPods) -> Self {
        self.waiting = waiting;
        self
    }

    /// Decides between equal nodes the same way each time. Without it, by chance.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The scheduler; profiles that have no Bind plugin bind through the context's client.
    pub fn build(self) -> Scheduler {
        let mut profiles = self.profiles;
        if profiles.is_empty() {
            profiles.push(Profile::default());
        }
        let client = self.ctx.client.clone();
        let with_binder = |profile: Profile| match profile.has_binder() {
            true => profile,
            false => profile.with(DefaultBinder::new(client.clone())),
        };
        let profiles: Vec<_> = profiles.into_iter().map(with_binder).collect();
        for plugin in profiles.iter().flat_map(|profile| &profile.plugins) {
            plugin.connect(&self.ctx);
        }
        Scheduler {
            profiles: profiles
                .into_iter()
                .map(|profile| (profile.scheduler_name.clone(), Arc::new(profile)))
                .collect(),
            ctx: self.ctx,
            waiting: self.waiting,
            seed: self.seed,
        }
    }
}
