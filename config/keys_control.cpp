// SPDX-License-Identifier: BSD-3-Clause
// The keys of the control plane: sockets, certificates, roles, files.
#include "config/schema.h"
#include "config/sections.h"

namespace weir::config {

namespace {

const Section<ControlTls>& tls_section() {
    static const Section<ControlTls> section{
        word(
            "listen",
            &ControlTls::listen,
            read_text,
            "address:port, or \"\"",
            "Where the control API is also served over TCP, with mutual TLS 1.3 only. `\"\"` turns "
            "it off."),
        word(
            "certificate",
            &ControlTls::certificate,
            read_optional_file,
            "file",
            "The gateway's certificate chain (PEM). Read anew when it changes."),
        word(
            "key",
            &ControlTls::key,
            read_optional_file,
            "file",
            "Its private key (PEM), which nobody but the owner may read."),
        word(
            "client_ca",
            &ControlTls::client_ca,
            read_optional_file,
            "file",
            "Certificates (PEM) that clients' certificates must be issued by."),
        word(
            "crl",
            &ControlTls::crl,
            read_optional_file,
            "file",
            "Revocation lists (PEM), one of each authority in `client_ca`. Read anew when it "
            "changes; a client that it names is refused, and cut off if it is connected. A list "
            "past its next update refuses every client. Unset: nothing is revoked.")};
    return section;
}

Key<Control> principals(
    const char* name, std::vector<std::string> Control::*member, const char* text) {
    return list(
        name,
        member,
        [](Context& context, const Node& node, const std::string& path, std::string& out) {
            if (!read_text(context, node, path, out)) {
                return false;
            }
            if (const std::string wrong = check_principal(out); !wrong.empty()) {
                context.findings.add(
                    node.line,
                    path,
                    quote(out) + " " + wrong,
                    "write user:NAME, group:NAME, uid:N, gid:N or san:NAME");
                return false;
            }
            return true;
        },
        [](const std::string& item) { return item; },
        "list of user:, group:, uid:, gid:, san:",
        text);
}

}  // namespace

const Section<Control>& control_section() {
    static const Section<Control> section{
        word(
            "socket",
            &Control::socket,
            read_file_name,
            "file",
            "Unix socket of the control API, which `weirctl` talks to. At most 107 characters."),
        word(
            "keyring",
            &Control::keyring,
            read_file_name,
            "directory",
            "Keys (`*.pub`, ed25519, one a file) that may sign models."),
        word(
            "state_dir",
            &Control::state_dir,
            read_file_name,
            "directory",
            "Where pushed models and the audit log are kept over restarts."),
        number(
            "max_bundle_mb",
            &Control::max_bundle_mb,
            1,
            1024,
            "Largest model bundle that is accepted, in MiB."),
        word(
            "sealing_keys",
            &Control::sealing_keys,
            read_optional_file,
            "directory",
            "Secret keys (`*.sealkey`, mode 0600) that sealed bundles may be encrypted to; read "
            "anew "
            "for each. Unset: sealed "
            "bundles are refused."),
        word(
            "group",
            &Control::group,
            read_text,
            "group, or \"\"",
            "Group of the control socket, whose members may connect. Empty: the group that weir "
            "runs as."),
        word(
            "run_as",
            &Control::run_as,
            read_text,
            "user, or \"\"",
            "User that a weir started by root becomes once its ports are open, without any "
            "capability. It must be able to read the keyring, the sealing keys and the TLS files; "
            "`control.state_dir` is given to it. Empty: weir stays who started it."),
        principals(
            "viewers",
            &Control::viewers,
            "Who may read. Whoever may connect to the socket may read anyway."),
        principals(
            "operators",
            &Control::operators,
            "Who may also push, try, promote and roll back models, set policy and reload."),
        principals(
            "admins",
            &Control::admins,
            "Who may also override what protects the gateway: older versions, and versions that a "
            "guardrail rolled back. "
            "Root and the user that runs weir are admins."),
        group("tls", &Control::tls, tls_section),
        number(
            "requests_per_s",
            &Control::requests_per_s,
            1,
            100'000,
            "Calls a second that one client may make, with bursts of twice as many; above, it is "
            "told to slow down. Admins are not held to it."),
        number(
            "contact_ttl_s",
            &Control::contact_ttl_s,
            0,
            31'536'000,
            "Seconds without a call by an operator or admin after which every slot's model is "
            "stale. 0: never."),
        number(
            "audit_max_mb",
            &Control::audit_max_mb,
            1,
            4096,
            "Size in MiB at which the audit log is rotated."),
        number("audit_keep", &Control::audit_keep, 1, 1000, "Rotated audit logs that are kept.")};
    return section;
}

}  // namespace weir::config
