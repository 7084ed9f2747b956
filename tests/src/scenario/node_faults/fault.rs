//! What can befall a node.

use std::{thread::sleep, time::Duration};

use anyhow::{Context, Result};
use k8s_store::testing::Dice;
use rustix::process::{Pid, Signal, kill_process};

use super::{World, truth::Observed};

/// A fault, and whom it hits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The node's agent and proxy die, and are started again.
    Agent,
    /// The container runtime dies; the agent has to live with that until somebody starts it: here, the agent's next
    /// start.
    Runtime,
    /// The API is away for a while.
    Api,
    /// Everything that this project runs dies at once.
    Everything,
    /// A container's process is killed: by its id.
    Container(String),
    /// The shim above a pod is killed, and takes the pod with it: by a container's id.
    Shim(String),
}

impl Fault {
    /// Any of them, at random.
    pub(super) fn draw(dice: &mut Dice, known: &Observed) -> Fault {
        let ids: Vec<&String> = known.values().collect();
        let victim = ids[dice.below(ids.len())].clone();
        match dice.below(6) {
            0 => Fault::Agent,
            1 => Fault::Runtime,
            2 => Fault::Api,
            3 => Fault::Everything,
            4 => Fault::Container(victim),
            _ => Fault::Shim(victim),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Fault::Agent => "agent",
            Fault::Runtime => "runtime",
            Fault::Api => "API",
            Fault::Everything => "everything",
            Fault::Container(_) => "container",
            Fault::Shim(_) => "shim",
        }
    }

    /// Lets it happen. A long run lets the API be away for longer.
    pub(super) fn strike(&self, world: &mut World, is_long: bool) -> Result<()> {
        match self {
            Fault::Agent => {
                world.node.kill()?;
                world.node.join(None)
            }
            Fault::Runtime => {
                kill(world.runtime()?)?;
                world.node.kill()?;
                world.node.join(None)
            }
            Fault::Api => {
                world.plane.kill()?;
                sleep(Duration::from_secs(if is_long { 60 } else { 3 }));
                world.plane.resume()
            }
            Fault::Everything => {
                world.plane.kill()?;
                world.node.kill()?;
                kill(world.runtime()?)?;
                world.plane.resume()?;
                world.node.join(None)
            }
            Fault::Container(id) => kill(world.process(id)?),
            Fault::Shim(id) => {
                let process = world.process(id)?;
                let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
                let after = stat.rsplit_once(") ").context("a process has a state")?.1;
                let parent = after.split(' ').nth(1).context("a process has a parent")?;
                kill(parent.parse()?)
            }
        }
    }
}

fn kill(process: i32) -> Result<()> {
    let pid = Pid::from_raw(process).context("a process has a number")?;
    kill_process(pid, Signal::KILL).with_context(|| format!("process {process}"))
}
