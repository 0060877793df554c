// SPDX-License-Identifier: BSD-3-Clause
// The keys of event export, and what they must be together.
#include "config/device.h"
#include "config/schema.h"
#include "config/sections.h"

#include <sys/un.h>

namespace weir::config {

namespace {

const std::vector<std::string_view>& event_words() {
    static const std::vector<std::string_view> words{"flow", "alert", "stats"};
    return words;
}

bool read_event(Context& context, const Node& node, const std::string& path, EveEvent& out) {
    std::size_t index = 0;
    const bool good = read_choice(context, node, path, event_words(), index);
    out = static_cast<EveEvent>(index);
    return good;
}

const Section<Eve>& eve_section() {
    static const Section<Eve> section{
        word(
            "file",
            &Eve::file,
            read_optional_file,
            "file, or \"\"",
            "File, or Unix socket that somebody listens at, which gets EVE JSON, one event a line, "
            "with Suricata's fields and an object `weir` of our own. Unset: off."),
        choice(
            "filetype",
            &Eve::filetype,
            {"regular", "unix_stream", "unix_dgram"},
            "What `file` is."),
        list(
            "types",
            &Eve::types,
            read_event,
            [](EveEvent item) {
                return std::string(event_words()[static_cast<std::size_t>(item)]);
            },
            "list of flow, alert, stats",
            "Events that are written: a flow at its end; an alert for a flow whose verdict in slot "
            "`anomaly` is not benign; counters."),
        number("stats_s", &Eve::stats_s, 1, 86'400, "Seconds between two events of type `stats`."),
        number(
            "rotate_mb",
            &Eve::rotate_mb,
            0,
            1u << 20,
            "Size in MiB at which the file is rotated to `FILE.1`, `FILE.2` and so on. 0: not by "
            "size."),
        number(
            "rotate_s",
            &Eve::rotate_s,
            0,
            31'536'000,
            "Seconds after which the file is rotated. 0: not by time."),
        number("keep", &Eve::keep, 1, 1000, "Rotated files that are kept.")};
    return section;
}

const Section<Ipfix>& ipfix_section() {
    static const Section<Ipfix> section{
        word(
            "collector",
            &Ipfix::collector,
            read_text,
            "address:port, or \"\"",
            "Collector that gets a flow record (RFC 7011, both directions by RFC 5103) at each "
            "flow's end. `\"\"` turns it off."),
        choice("transport", &Ipfix::transport, {"udp", "tcp"}, "How the collector is reached."),
        number(
            "domain",
            &Ipfix::domain,
            0,
            0xffff'ffffu,
            "Observation domain id, which tells this gateway's records from others'."),
        number(
            "enterprise",
            &Ipfix::enterprise,
            1,
            0xffff'ffffu,
            "Private enterprise number of the elements that carry the verdict. The default is the "
            "one for documentation (RFC 5612), as Weir has none; use your organisation's."),
        number(
            "template_s",
            &Ipfix::template_s,
            1,
            86'400,
            "Over UDP, seconds after which templates are sent again."),
        number(
            "message_bytes",
            &Ipfix::message_bytes,
            1024,
            65'000,
            "Largest IPFIX message. Over UDP it must fit the path's MTU with 48 bytes of "
            "headers.")};
    return section;
}

void check_collector(Context& context, const Ipfix& ipfix) {
    if (ipfix.collector.empty()) {
        return;
    }
    const std::string wrong = check_listen(ipfix.collector);
    const bool zero = ipfix.collector.ends_with(":0");
    if (!wrong.empty() || zero) {
        context.add(
            "export.ipfix.collector",
            zero ? "port 0 is nobody's" : wrong,
            "write an address and a port, such as 192.0.2.9:4739; \"\" is off");
    }
}

const Section<Export>& export_section() {
    static const Section<Export> section{
        word(
            "pseudonym_key",
            &Export::pseudonym_key,
            read_optional_file,
            "file, or \"\"",
            "Key (32 bytes, or 64 hexadecimal digits; mode 0600) by which addresses are replaced "
            "in "
            "every export, so that common prefixes stay common (Crypto-PAn). Unset: addresses are "
            "exported as they are."),
        number(
            "queue",
            &Export::queue,
            1024,
            1u << 22,
            "Records that wait for each exporter. What a slow reader leaves no room for is dropped "
            "and counted (`weir_export_dropped_records_total`); workers never wait."),
        group("eve", &Export::eve, eve_section),
        group("ipfix", &Export::ipfix, ipfix_section)};
    return section;
}

}  // namespace

Key<Config> export_key() {
    return {
        "export",
        false,
        [](Context& context, const Node& node, const std::string& path, Config& /*out*/) {
            read_section(context, node, path, export_section(), context.exports);
        },
        [](const std::string& path, const Config& /*defaults*/, std::vector<KeyDoc>& out) {
            describe_section(path, export_section(), Export{}, out);
        }};
}

void check_export(Context& context) {
    const Export& exports = context.exports;
    const Eve& eve = exports.eve;
    constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
    if (eve.filetype != EveTarget::regular && eve.file.size() > kMaxSocketPath) {
        context.add(
            "export.eve.file",
            "a path of " + std::to_string(eve.file.size()) + " characters",
            "a Unix socket's path has at most " + std::to_string(kMaxSocketPath));
    }
    if (!eve.file.empty() && eve.types.empty()) {
        context.add("export.eve.types", "no event", "name one, or remove eve.file");
    }
    if (eve.filetype != EveTarget::regular && eve.file.empty()) {
        context.add(
            "export.eve.filetype", "names a socket, but no file is set", "add 'file: SOCKET'");
    }
    for (const char* key : {"rotate_mb", "rotate_s", "keep"}) {
        const std::string path = std::string("export.eve.") + key;
        if (eve.filetype != EveTarget::regular && context.lines.count(path) != 0) {
            context.add(path, "a socket is not rotated", "remove it, or write to a regular file");
        }
    }
    check_collector(context, exports.ipfix);
    if (!exports.pseudonym_key.empty() && !exports.any()) {
        context.add(
            "export.pseudonym_key",
            "nothing is exported",
            "set export.eve.file or export.ipfix.collector, or remove the key");
    }
}

}  // namespace weir::config
