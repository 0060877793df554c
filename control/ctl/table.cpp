// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/commands.h"

#include <array>

namespace weir::ctl {

std::span<const OptionSpec> global_options() {
    static constexpr std::array<OptionSpec, 8> kOptions{{
        {"--socket",
         "PATH",
         "Control socket of the gateway; else $WEIR_SOCKET, else /run/weir/control.sock"},
        {"--timeout", "SECONDS", "Give up on a call after this time (1 to 3600)", "30"},
        {"--target",
         "HOST:PORT",
         "Gateway to talk to over TLS instead of the socket; needs --cert, --key and --ca"},
        {"--cert", "FILE", "Client certificate (PEM), for --target"},
        {"--key", "FILE", "Its private key (PEM)"},
        {"--ca", "FILE", "Certificates (PEM) that the gateway's must be issued by"},
        {"--json", "", "Print JSON instead of text, errors included"},
        {"--yes", "", "Do what is dangerous without asking"},
    }};
    return kOptions;
}

std::span<const CommandSpec> commands() {
    static const std::array<CommandSpec, 26> kCommands{{
        {"status",
         "Show packets, drops, models and workers",
         "Shows what the gateway has done since it started: packets in, out and dropped by reason, "
         "each slot's model "
         "and verdicts, each worker.",
         {},
         {},
         run_status},
        {"ports",
         "Show ports with link state and counters",
         "Shows each port's link, speed, MTU, peer and packet counters.",
         {},
         {},
         run_ports},
        {"top",
         "Live rates of packets, verdicts and workers",
         "Shows rates, anew every interval, until interrupted. With --json one object a line.",
         {},
         {{"--interval", "SECONDS", "Time between two displays (0.1 to 60)", "1"},
          {"--once", "", "Measure one interval, print it and end"}},
         run_top},
        {"tail",
         "Verdicts as they come",
         "Prints a line for each flow whose verdict a packet sets, until interrupted: time, flow, "
         "verdicts, what is done to its packets. With --json one object a line. Verdicts that come "
         "too fast are counted on standard error; workers never wait.",
         {},
         {{"--slot", "SLOT", "Only flows that this slot has decided"},
          {"--class", "CLASS", "Only flows of this class"},
          {"--prefix", "PREFIX", "Only flows with an end in this prefix, or of this address"},
          {"--min-confidence", "0..1", "Only verdicts at least so sure", "0"},
          {"--count", "N", "End after so many; 0: never", "0"}},
         run_tail},
        {"flows",
         "The greatest of the live flows",
         "Asks the workers for their flows and shows the first by some order. Confidence orders "
         "within one slot: --by score needs --slot.",
         {},
         {{"--by", "ORDER", "bytes, packets, score or recent", "bytes"},
          {"--top", "N", "How many (1 to 1000)", "20"},
          {"--slot", "SLOT", "Only flows that this slot has decided"},
          {"--class", "CLASS", "Only flows of this class"},
          {"--prefix", "PREFIX", "Only flows with an end in this prefix, or of this address"},
          {"--min-confidence", "0..1", "Only flows with a verdict at least so sure", "0"}},
         run_flows},
        {"explain",
         "Why a flow is treated as it is",
         "Waits for the flow's next packet and tells what was done with it, by which rule, what "
         "held "
         "that back, and for each slot which features moved the model to its class, in bits of "
         "odds: "
         "+1 doubles the odds against the other class named. A worker only takes the packet's "
         "features down; all else is worked out beside it. Where no packet comes in time, the flow "
         "is told as its last one left it.",
         {{"FLOW",
           "As `flows` prints it, in quotes: 'tcp 10.0.0.1:40000 > 192.0.2.1:443'; or its id"}},
         {{"--slot", "SLOT", "Only this slot's"},
          {"--top", "N", "Features to name in each slot (1 to 256)", "5"},
          {"--wait", "TIME", "For the flow's next packet (1s to 30s)", "5s"}},
         run_explain},
        {"block",
         "Drop a flow or a prefix's packets for a while",
         "Stands before every rule, whatever models say; only policy.observe_only and "
         "policy.never_touch stand above it. Holds over restarts until its time is up. Of prefixes "
         "the longest around either end holds, of two as long the one that blocks, and a flow "
         "before any prefix.",
         {{"TARGET",
           "A prefix or address, or a flow as `flows` prints it, in quotes; without vlan: on any"}},
         {{"--for", "TIME", "Such as 90s, 10m, 2h, 1d (at most 30d)", "10m"}},
         run_block},
        {"allow",
         "Let a flow or a prefix's packets pass for a while",
         "Whatever models and rules say, its packets are not dropped, policed, reset or "
         "redirected, "
         "and no limit on new flows holds for them; marks by class rules and rows that only mark "
         "stay.",
         {{"TARGET",
           "A prefix or address, or a flow as `flows` prints it, in quotes; without vlan: on any"}},
         {{"--for", "TIME", "Such as 90s, 10m, 2h, 1d (at most 30d)", "10m"}},
         run_allow},
        {"unblock",
         "End an override, whether it blocks or allows",
         "The rules hold again from the next batch on.",
         {{"TARGET", "As `overrides` prints it"}},
         {},
         run_unblock},
        {"overrides",
         "List what is blocked and allowed",
         "Shows each override with the time it has left and who set it. There may be 1024.",
         {},
         {},
         run_overrides},
        {"models list",
         "List the models that the gateway holds",
         "Lists stored and built-in models by slot, newest version first.",
         {},
         {{"--slot", "SLOT", "Only this slot's"}},
         run_models_list},
        {"models push",
         "Send a model bundle to the gateway",
         "Sends a signed bundle. The gateway verifies it (signature, version, features, shapes, "
         "golden vectors) and "
         "stores it; workers are not touched unless --activate is given. A bundle that fails any "
         "check is refused "
         "with the field named, and nothing changes.",
         {{"FILE", "The bundle"}},
         {{"--slot", "SLOT", "Refuse the bundle if it is made for another slot"},
          {"--activate", "", "Swap it in once it is verified"},
          {"--allow-older",
           "",
           "Accept a version below the highest seen of this name (noted in the audit log)"}},
         run_models_push},
        {"models activate",
         "Swap a stored model in",
         "Verifies the model once more and swaps it in while packets flow. No packet is lost, and "
         "none is scored by "
         "two models within a burst.",
         {{"SLOT", "The slot"},
          {"NAME", "The model's name"},
          {"VERSION", "Its version; the newest if left out", false}},
         {{"--override", "", "Although a guardrail rolled this version back (admins)"}},
         run_models_activate},
        {"models shadow",
         "Try a stored model without letting it act",
         "The model scores every row that the active one scores, and acts on nothing. How the two "
         "differ is shown by "
         "`models trials`. Up to three models a slot may be on trial.",
         {{"SLOT", "The slot"},
          {"NAME", "The model's name"},
          {"VERSION", "Its version; the newest if left out", false}},
         {},
         run_models_shadow},
        {"models canary",
         "Let a stored model act for a share of flows",
         "The model scores every row, and acts for the given share of flows: always the same ones, "
         "both directions. Given "
         "again with another share, flows are added or taken away. A slot has one canary.",
         {{"SLOT", "The slot"},
          {"NAME", "The model's name"},
          {"PERCENT", "Share of flows, 0.01 to 100"},
          {"VERSION", "Its version; the newest if left out", false}},
         {{"--override", "", "Although a guardrail rolled this version back (admins)"}},
         run_models_canary},
        {"models withdraw",
         "End a model's trial, or step the active model back",
         "A shadow or canary scores no more; what a canary decided for flows acts no more. The "
         "active model makes way for "
         "the one before it.",
         {{"SLOT", "The slot"},
          {"NAME", "The model's name"},
          {"VERSION", "Its version; the newest if left out", false}},
         {},
         run_models_withdraw},
        {"models trials",
         "Compare models on trial with the active one",
         "Shows for each shadow and canary how many rows it scored, would have alarmed on and "
         "dropped, and the pairs of "
         "classes on which it and the active model differ most.",
         {},
         {{"--slot", "SLOT", "Only this slot's"}},
         run_models_trials},
        {"models rollback",
         "Go back to the model that was active before",
         "Ends the slot's canary if there is one; else swaps the slot's previous model in. "
         "Repeated, "
         "goes back further. "
         "What the model that goes decided for flows acts no more.",
         {{"SLOT", "The slot"}},
         {},
         run_models_rollback},
        {"models remove",
         "Delete a stored model that is not active",
         "Deletes the bundle from the gateway's state directory.",
         {{"SLOT", "The slot"}, {"NAME", "The model's name"}, {"VERSION", "Its version"}},
         {},
         run_models_remove},
        {"policy list",
         "Show the rules in force",
         "Lists what each class leads to; rules set by `policy set` are told apart from the "
         "configuration's.",
         {},
         {{"--slot", "SLOT", "Only this slot's"}},
         run_policy_list},
        {"policy set",
         "Change what a class leads to",
         "Sets one rule at once, over what the configuration says; it holds over restarts until "
         "`policy reset`. Shows what "
         "the rule does to the flows that ended in the last minute, by their last verdict.",
         {{"SLOT", "The slot"},
          {"CLASS", "The class"},
          {"ACTION", "pass, drop, or a DSCP to mark with (EF, AF41, 46)"}},
         {{"--min-confidence", "SHARE", "Confidence from which the rule acts, 0 to 1", "0"},
          {"--dry-run", "", "Only show what it would do"}},
         run_policy_set},
        {"policy reset",
         "Go back to the configuration's rule for a class",
         "Forgets what `policy set` set.",
         {{"SLOT", "The slot"}, {"CLASS", "The class"}},
         {{"--dry-run", "", "Only show what it would do"}},
         run_policy_reset},
        {"audit verify",
         "Check that the audit log is whole",
         "Finds any line that was edited, cut out, added or moved, over rotated files, too. Reads "
         "files; no gateway is "
         "needed.",
         {{"FILE", "The log: audit.log of control.state_dir"}},
         {},
         run_audit_verify},
        {"whoami",
         "Show who the gateway takes you for",
         "Shows the caller's role and by what it is known.",
         {},
         {},
         run_whoami},
        {"completion",
         "Print a completion script for a shell",
         "For instance: weirctl completion bash > /etc/bash_completion.d/weirctl",
         {{"SHELL", "bash, zsh or fish"}},
         {},
         run_completion},
        {"reload",
         "Read the configuration file again",
         "Applies what can change while packets flow (rules, cadence, hysteresis, fail policies, "
         "models, never_remark, "
         "log level) and names what needs a restart. An invalid file is refused whole.",
         {},
         {{"--dry-run", "", "Only show what it would do"}},
         run_reload},
    }};
    return kCommands;
}

}  // namespace weir::ctl
