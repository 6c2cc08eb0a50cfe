//! The commands and their arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::init::Wishes;

/// Plain requests in, authenticated requests out.
#[derive(Debug, Parser)]
#[command(name = "upauth", version, about, max_term_width = 100, after_help = EXITS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXITS: &str = "\
Exit codes: 0 done or drained, 1 cut at the drain deadline, not ready, or a defect, 2 wrong arguments, 69 unreachable, \
74 a port is taken or a file cannot be written, 77 credentials refused, 78 wrong configuration";

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Serve the upstreams of a configuration
    Run {
        /// The configuration
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
        /// Listen here instead of where the configuration says
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
    },
    /// Write a configuration to begin with; what is not given is asked for
    Init {
        /// The file to write; one that is there already stays as it is
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
        #[command(flatten)]
        wishes: Wishes,
    },
    /// Serve emulated providers through the proxy: no account, no configuration, no network
    Demo,
    /// Serve the emulated providers alone
    Emulate {
        /// Write the variables into this file, whole, before anybody is served; without it they are printed
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
    /// Say everything that is wrong with a configuration
    Check {
        /// The configuration
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
        /// Also log in: at every upstream, or at NAME
        #[arg(long, value_name = "NAME", num_args = 0..=1)]
        #[expect(
            clippy::option_option,
            reason = "clap's form of an option with an optional value"
        )]
        live: Option<Option<String>>,
        /// Name every upstream, however many there are
        #[arg(long, conflicts_with = "live")]
        all: bool,
    },
    /// Show how each upstream of the running proxy is
    Status {
        /// The configuration, which says where the running proxy's admin listener is
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the running proxy to forget a refusal and to log in again
    Retry {
        /// The upstream
        name: String,
        /// The configuration, which says where the running proxy's admin listener is
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
    },
    /// Ask the running proxy to read its configuration again, and print what changed
    Reload {
        /// The configuration, which says where the running proxy's admin listener is
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
    },
    /// Say whether the running proxy is ready, for the health check of a container
    Health {
        /// The configuration, which says where the running proxy's health listener is
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
    },
    /// Show or renew a token
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print what a client needs to use an upstream through the proxy, for eval in a shell
    Env {
        /// The upstream
        name: String,
        /// The configuration
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a key for a caller: print it once, and the line of the configuration that lets it in
    Key {
        /// What the configuration, logs and metrics call it
        name: String,
    },
    /// Explain a code such as UA-0103; without one, list them
    Explain {
        /// The code, in any spelling: UA-0103, ua-0103, 0103
        code: Option<String>,
    },
    /// Print the completions of a shell: bash, zsh, fish, elvish, powershell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands
    Man {
        /// Write a page for each command into this folder
        #[arg(long, value_name = "PATH")]
        folder: Option<PathBuf>,
    },
    /// Print the version
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum TokenCommand {
    /// Log in from the configuration and print the token
    Show {
        /// The upstream
        name: String,
        /// The configuration
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
    /// Ask the running proxy for a new token
    Renew {
        /// The upstream
        name: String,
        /// The configuration, which says where the running proxy's admin listener is
        #[arg(long, value_name = "PATH", default_value = CONFIG, env = "UPAUTH_CONFIG")]
        config: PathBuf,
    },
}

pub(super) const CONFIG: &str = "proxy.toml";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    fn command(line: &str) -> Result<Command, clap::error::ErrorKind> {
        let words = std::iter::once("upauth").chain(line.split_whitespace());
        match Arguments::try_parse_from(words) {
            Ok(arguments) => Ok(arguments.command),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn the_commands_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn check_logs_in_nowhere_everywhere_or_at_one() {
        let live = |line: &str| match command(line) {
            Ok(Command::Check { live, .. }) => live,
            other => panic!("{other:?}"),
        };
        assert_eq!(live("check"), None);
        assert_eq!(live("check --live"), Some(None));
        assert_eq!(
            live("check --live crm --config x.toml"),
            Some(Some("crm".to_owned()))
        );
    }

    #[test]
    fn the_configuration_is_proxy_toml_unless_said_otherwise() {
        let Ok(Command::Run { config, listen }) = command("run --listen localhost:1") else {
            panic!()
        };
        assert_eq!(
            (config.to_str(), listen.as_deref()),
            (Some("proxy.toml"), Some("localhost:1"))
        );
    }

    /// Everybody on the machine can read the arguments of a process. What is added here was made sure to be no secret.
    #[test]
    fn no_argument_of_any_command_is_a_secret() {
        let (mut open, mut taken) = (vec![Arguments::command()], BTreeSet::new());
        while let Some(command) = open.pop() {
            for argument in command.get_arguments() {
                taken.insert(argument.get_id().to_string());
                let variable = argument.get_env();
                taken.extend(variable.map(|name| name.to_string_lossy().into_owned()));
            }
            open.extend(command.get_subcommands().cloned());
        }
        let known = [
            "UPAUTH_CONFIG all api_url client_id code config file folder json listen live",
            "login_url name provider shell token_url username yes",
        ];
        let known = known.iter().flat_map(|line| line.split(' '));
        let known: BTreeSet<_> = known.map(str::to_owned).collect();
        assert_eq!(taken, known);
    }

    #[test]
    fn what_is_not_built_is_absent() {
        for line in ["routes", "doctor"] {
            assert_eq!(
                command(line),
                Err(clap::error::ErrorKind::InvalidSubcommand),
                "{line}"
            );
        }
    }
}
