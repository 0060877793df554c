// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/commands.h"

#include <cctype>
#include <string>

namespace weir::ctl {

namespace {

/// Text as roff wants it: hyphens and backslashes escaped, no line that starts as a request.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '-' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    if (!out.empty() && (out.front() == '.' || out.front() == '\'')) {
        out.insert(0, "\\&");
    }
    return out;
}

std::string option_lines(std::span<const OptionSpec> options) {
    std::string out;
    for (const auto& option : options) {
        out.append(".TP\n\\fB").append(roff(option.name)).append("\\fR");
        if (!option.value.empty()) {
            out.append(" \\fI").append(roff(option.value)).append("\\fR");
        }
        out.append("\n").append(roff(option.help));
        if (!option.fallback.empty()) {
            out.append("; default ").append(roff(option.fallback));
        }
        out.append(".\n");
    }
    return out;
}

std::string command_section(const CommandSpec& command) {
    std::string out = ".SS weirctl ";
    out.append(roff(command.path));
    for (const auto& argument : command.arguments) {
        out.append(argument.required ? " " : " [")
            .append(argument.name)
            .append(argument.required ? "" : "]");
    }
    out.append("\n").append(roff(command.description)).append("\n");
    for (const auto& argument : command.arguments) {
        out.append(".TP\n\\fI")
            .append(roff(argument.name))
            .append("\\fR\n")
            .append(roff(argument.help))
            .append(".\n");
    }
    return out + option_lines(command.options);
}

}  // namespace

std::string man_page() {
    std::string page =
        ".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
        ".\\\" Generated from control/ctl/table.cpp by `weirctl_man`; a test keeps them equal.\n"
        ".TH WEIRCTL 1 \"\" \"Weir\" \"User Commands\"\n"
        ".SH NAME\nweirctl \\- talk to a running weir gateway\n"
        ".SH SYNOPSIS\n\\fBweirctl\\fR [\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n"
        ".SH DESCRIPTION\nSends requests over the gateway's control socket and prints the answers. "
        "What changes the gateway is written to its audit log with the caller's user and process "
        "id.\n"
        ".SH OPTIONS\n";
    page += option_lines(global_options());
    page += ".SH COMMANDS\n";
    for (const auto& command : commands()) {
        page += command_section(command);
    }
    page +=
        ".SH EXIT STATUS\n"
        ".TP\n0\nDone.\n"
        ".TP\n1\nThe gateway refused, or cannot be reached.\n"
        ".TP\n2\nBad input: usage, a file, a name, or a bundle or configuration that fails its "
        "checks.\n"
        ".SH ENVIRONMENT\n.TP\nWEIR_SOCKET\nControl socket, if \\fB\\-\\-socket\\fR is not given.\n"
        ".SH FILES\n.TP\n/run/weir/control.sock\nThe control socket's default place.\n"
        ".SH SEE ALSO\n\\fBweir\\fR(1), \\fBweirlab\\fR(1)\n";
    return page;
}

}  // namespace weir::ctl
