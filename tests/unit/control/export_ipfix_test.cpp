// SPDX-License-Identifier: BSD-3-Clause
// IPFIX as a reader takes it apart that knows RFC 7011 only, over UDP and TCP, and as nfdump's collector stores it.
#include "control/export/ipfix_sink.h"
#include "export_fixture.h"

#include <csignal>
#include <map>

#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace weir::control::test {
namespace {

constexpr std::uint32_t kNow = 1'700'000'010;

std::uint64_t number(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) {
        value = value << 8 | static_cast<std::uint8_t>(c);
    }
    return value;
}

/// Takes messages apart by their own templates. A wrong length anywhere fails the test.
class Reader {
  public:
    struct Value {
        std::uint32_t enterprise;
        std::uint16_t id;
        std::string bytes;
    };
    using Record = std::vector<Value>;

    void message(std::string_view text) {
        ASSERT_GE(text.size(), 16U);
        ASSERT_EQ(number(text.substr(0, 2)), 10U);
        ASSERT_EQ(number(text.substr(2, 2)), text.size());
        EXPECT_EQ(number(text.substr(4, 4)), kNow);
        sequences.push_back(static_cast<std::uint32_t>(number(text.substr(8, 4))));
        domain = static_cast<std::uint32_t>(number(text.substr(12, 4)));
        for (text.remove_prefix(16); !text.empty();) {
            ASSERT_GE(text.size(), 4U);
            const auto id = number(text.substr(0, 2));
            const auto size = number(text.substr(2, 2));
            ASSERT_TRUE(size >= 4 && size <= text.size());
            std::string_view body = text.substr(4, size - 4);
            text.remove_prefix(size);
            while (!body.empty()) {
                id == 2 ? read_template(body) : read_record(static_cast<std::uint16_t>(id), body);
                ASSERT_FALSE(testing::Test::HasFatalFailure());
            }
        }
    }

    std::vector<std::uint32_t> sequences;
    std::uint32_t domain = 0;
    int templates = 0;
    std::vector<std::pair<std::uint16_t, Record>> records;

  private:
    struct Field {
        std::uint16_t id;
        std::size_t size;
        std::uint32_t enterprise;
    };

    void read_template(std::string_view& body) {
        const auto id = static_cast<std::uint16_t>(number(body.substr(0, 2)));
        const auto count = number(body.substr(2, 2));
        ASSERT_GE(id, 256);
        body.remove_prefix(4);
        std::vector<Field> fields;
        for (std::size_t i = 0; i < count; ++i) {
            const auto field = number(body.substr(0, 2));
            const bool ours = (field & 0x8000) != 0;
            ASSERT_GE(body.size(), ours ? 8U : 4U);
            fields.push_back(
                {static_cast<std::uint16_t>(field & 0x7fff),
                 number(body.substr(2, 2)),
                 ours ? static_cast<std::uint32_t>(number(body.substr(4, 4))) : 0});
            body.remove_prefix(ours ? 8 : 4);
        }
        known_[id] = fields;
        ++templates;
    }

    void read_record(std::uint16_t id, std::string_view& body) {
        ASSERT_EQ(known_.count(id), 1U) << "no template " << id;
        Record record;
        for (const Field& field : known_[id]) {
            std::size_t size = field.size;
            if (size == 0xffff) {
                ASSERT_FALSE(body.empty());
                size = number(body.substr(0, 1));
                ASSERT_LT(size, 255U);
                body.remove_prefix(1);
            }
            ASSERT_LE(size, body.size());
            record.push_back({field.enterprise, field.id, std::string(body.substr(0, size))});
            body.remove_prefix(size);
        }
        records.emplace_back(id, std::move(record));
    }

    std::map<std::uint16_t, std::vector<Field>> known_;
};

/// The nth value of an element; empty if there is none.
std::string value(
    const Reader::Record& record, std::uint16_t id, std::uint32_t enterprise = 0, int nth = 0) {
    for (const auto& [pen, element, bytes] : record) {
        if (pen == enterprise && element == id && nth-- == 0) {
            return bytes;
        }
    }
    return "";
}

std::vector<FlowEvent> three_flows() {
    auto first = make_record();
    first.end = dataplane::FlowEnd::closed;
    first.key.vlan = 42;
    decide(first, 0, "syn_flood", 60000, 7);
    auto second = make_record({"2001:db8::9", 5060, "2001:db8::1", 5061, 17});
    second.dscp = 46;
    second.packets = {7, 0};
    second.bytes = {700, 0};
    auto third = make_record({"203.0.113.7", 53, "192.0.2.8", 3333, 17});
    third.dscp = 8;
    third.dropped = true;
    third.end = dataplane::FlowEnd::evicted;
    std::vector<FlowEvent> out;
    for (const auto& record : {first, second, third}) {
        out.push_back(*make_event(record, names(), nullptr));
    }
    return out;
}

IpfixEncoder encoder(std::size_t message_bytes = 1400) {
    return IpfixEncoder(
        {.domain = 77, .enterprise = 4242, .slots = 2, .message_bytes = message_bytes});
}

TEST(Ipfix, RecordsAreWhatWasSent) {
    auto out = encoder();
    Reader reader;
    for (const auto& message : out.templates(kNow)) {
        reader.message(message);
    }
    EXPECT_EQ(reader.templates, 4);
    for (const auto& message : out.records(three_flows(), kNow)) {
        reader.message(message);
    }
    EXPECT_EQ(reader.domain, 77U);
    ASSERT_EQ(reader.records.size(), 3U);
    const auto& [id, tcp] = reader.records[0];
    EXPECT_EQ(id, kTemplateV4);
    EXPECT_EQ(number(value(tcp, 8)), 0xc0000201U);
    EXPECT_EQ(number(value(tcp, 12)), 0xc6336402U);
    EXPECT_EQ(number(value(tcp, 7)), 40000U);
    EXPECT_EQ(number(value(tcp, 11)), 443U);
    EXPECT_EQ(number(value(tcp, 4)), 6U);
    EXPECT_EQ(number(value(tcp, 152)), 1'700'000'000'123U);
    EXPECT_EQ(number(value(tcp, 153)), 1'700'000'002'623U);
    EXPECT_EQ(number(value(tcp, 1)), 1234U);
    EXPECT_EQ(number(value(tcp, 2)), 10U);
    EXPECT_EQ(number(value(tcp, 1, 29305)), 5678U);
    EXPECT_EQ(number(value(tcp, 2, 29305)), 8U);
    EXPECT_EQ(number(value(tcp, 136)), 3U);
    EXPECT_EQ(number(value(tcp, 89)), 0x40U);
    EXPECT_EQ(number(value(tcp, 58)), 42U);
    EXPECT_EQ(value(tcp, 55), "");
    EXPECT_EQ(value(tcp, 1, 4242, 0), "anomaly");
    EXPECT_EQ(value(tcp, 2, 4242, 0), "syn_flood");
    EXPECT_EQ(number(value(tcp, 3, 4242, 0)), 60000U);
    EXPECT_EQ(value(tcp, 4, 4242, 0), "weir-anomaly");
    EXPECT_EQ(number(value(tcp, 5, 4242, 0)), 3U);
    EXPECT_EQ(number(value(tcp, 6, 4242, 0)), 4U);
    EXPECT_EQ(value(tcp, 1, 4242, 1), "qos");
    EXPECT_EQ(value(tcp, 2, 4242, 1), "");
    const auto& [id6, udp] = reader.records[1];
    EXPECT_EQ(id6, kTemplateV6Marked);
    EXPECT_EQ(value(udp, 27).size(), 16U);
    EXPECT_EQ(number(value(udp, 55)), 46U << 2);
    EXPECT_EQ(reader.records[2].first, kTemplateV4Marked);
    EXPECT_EQ(number(value(reader.records[2].second, 89)), 0x80U);
    EXPECT_EQ(number(value(reader.records[2].second, 136)), 5U);
}

TEST(Ipfix, MessagesKeepTheirBoundAndSequenceNumbersCountRecords) {
    for (const std::size_t bound : {1024U, 1400U, 65000U}) {
        auto out = encoder(bound);
        Reader reader;
        std::vector<FlowEvent> events;
        for (int i = 0; i < 300; ++i) {
            for (auto& event : three_flows()) {
                event.verdicts[0].cls = std::string(static_cast<std::size_t>(i), 'c');
                events.push_back(std::move(event));
            }
        }
        for (const auto& message : out.templates(kNow)) {
            EXPECT_LE(message.size(), bound);
            reader.message(message);
        }
        reader.sequences.clear();
        std::size_t before = 0;
        for (const auto& message : out.records(events, kNow)) {
            EXPECT_LE(message.size(), bound);
            reader.message(message);
            ASSERT_FALSE(HasFatalFailure());
            EXPECT_EQ(reader.sequences.back(), before);
            before = reader.records.size();
        }
        EXPECT_EQ(reader.records.size(), events.size());
        EXPECT_EQ(out.sequence(), events.size());
        EXPECT_EQ(value(reader.records.back().second, 2, 4242).size(), IpfixEncoder::kMostName);
    }
}

/// Bound to a free port of loopback.
struct Bound {
    explicit Bound(int type) : fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
        EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
        port = ntohs(address.sin_port);
    }
    ~Bound() { ::close(fd); }
    Bound(const Bound&) = delete;
    Bound& operator=(const Bound&) = delete;
    int fd;
    std::uint16_t port = 0;
};

std::unique_ptr<IpfixSink> sink_to(std::uint16_t port, config::IpfixTransport transport) {
    config::Ipfix ipfix;
    ipfix.collector = "127.0.0.1:" + std::to_string(port);
    ipfix.transport = transport;
    auto sink = IpfixSink::open(ipfix, 2);
    EXPECT_TRUE(sink);
    return std::move(*sink);
}

TEST(IpfixSink, UdpSendsTemplatesAtFirstAndAgainAfterAWhile) {
    const Bound collector(SOCK_DGRAM);
    const auto sink = sink_to(collector.port, config::IpfixTransport::udp);
    Reader reader;
    std::array<char, 65536> buffer{};
    const auto receive = [&] {
        const ssize_t n = ::recv(collector.fd, buffer.data(), buffer.size(), 0);
        ASSERT_GT(n, 0);
        reader.message({buffer.data(), static_cast<std::size_t>(n)});
    };
    auto now = IpfixSink::Clock::now();
    ASSERT_EQ(sink->write(three_flows(), kNow, now), 3U);
    receive();
    EXPECT_EQ(reader.templates, 4);
    receive();
    ASSERT_EQ(sink->write(three_flows(), kNow, now), 3U);
    receive();
    EXPECT_EQ(reader.templates, 4);
    ASSERT_EQ(sink->write(three_flows(), kNow, now + std::chrono::seconds(60)), 3U);
    receive();
    EXPECT_EQ(reader.templates, 8);
    receive();
    EXPECT_EQ(reader.records.size(), 9U);
    EXPECT_EQ(reader.sequences, (std::vector<std::uint32_t>{0, 0, 3, 6, 6}));
}

TEST(IpfixSink, TcpBeginsASessionAnewAfterItsCollectorWasAway) {
    auto now = IpfixSink::Clock::now();
    Bound collector(SOCK_STREAM);
    const auto sink = sink_to(collector.port, config::IpfixTransport::tcp);
    EXPECT_EQ(sink->write(three_flows(), kNow, now), 0U);  // nobody listens
    ASSERT_EQ(::listen(collector.fd, 4), 0);
    for (int session = 0; session < 2; ++session) {
        now += IpfixSink::kRetry;
        ASSERT_EQ(sink->write(three_flows(), kNow, now), 3U);
        const int fd = ::accept(collector.fd, nullptr, nullptr);
        sink->reopen();
        std::string all;
        std::array<char, 65536> buffer{};
        for (ssize_t n = 0; (n = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
            all.append(buffer.data(), static_cast<std::size_t>(n));
        }
        ::close(fd);
        Reader reader;
        for (std::string_view rest = all; !rest.empty();) {
            const auto size = number(rest.substr(2, 2));
            ASSERT_TRUE(size >= 16 && size <= rest.size());
            reader.message(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        EXPECT_EQ(reader.templates, 4);
        EXPECT_EQ(reader.records.size(), 3U);
        EXPECT_EQ(reader.sequences, (std::vector<std::uint32_t>{0, 0}));
    }
}

TEST(IpfixSink, ACollectorIsAnAddress) {
    config::Ipfix ipfix;
    ipfix.collector = "collector.example:4739";
    const auto sink = IpfixSink::open(ipfix, 2);
    ASSERT_FALSE(sink);
    EXPECT_NE(sink.error().line().find("export.ipfix.collector"), std::string::npos);
}

/// Bytes that wait at a UDP port; −1 if nobody has it.
long waiting_at(std::uint16_t port) {
    std::array<char, 32> local{};  // the collector's own, unconnected; queues follow the state
    (void)std::snprintf(
        local.data(), local.size(), ":%04X 00000000:0000 07 ", static_cast<unsigned>(port));
    for (const auto& line : lines_of("/proc/net/udp")) {
        const auto queues = line.find(':', line.find(" 07 ") + 4);
        if (line.find(local.data()) != std::string::npos && queues != std::string::npos) {
            return std::stol(line.substr(queues + 1, 8), nullptr, 16);
        }
    }
    return -1;
}

void send_to(std::uint16_t port, const std::string& message) {
    const Bound sender(SOCK_DGRAM);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const auto sent = ::sendto(
        sender.fd,
        message.data(),
        message.size(),
        0,
        reinterpret_cast<const sockaddr*>(&address),
        sizeof(address));
    EXPECT_EQ(sent, static_cast<ssize_t>(message.size()));
}

std::vector<nlohmann::json> collected(const std::vector<FlowEvent>& events, const ExportDir& dir) {
    const std::uint16_t port = Bound(SOCK_DGRAM).port;
    const std::string at = std::to_string(port);
    const pid_t child = ::fork();
    if (child == 0) {
        ::execlp(
            "nfcapd",
            "nfcapd",
            "-b",
            "127.0.0.1",
            "-p",
            at.c_str(),
            "-w",
            dir.path().c_str(),
            static_cast<char*>(nullptr));
        ::_exit(127);
    }
    EXPECT_TRUE(wait_until([&] { return waiting_at(port) >= 0; }));
    const auto sink = sink_to(port, config::IpfixTransport::udp);
    EXPECT_EQ(sink->write(events, kNow, IpfixSink::Clock::now()), events.size());
    EXPECT_TRUE(wait_until([&] { return waiting_at(port) == 0; }));
    // Told to end, nfcapd throws away what it has just received. Who takes one more is done with those before.
    send_to(port, encoder().templates(kNow).front());
    EXPECT_TRUE(wait_until([&] { return waiting_at(port) == 0; }));
    ::kill(child, SIGTERM);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    const ExportDir beside;
    const std::string out = beside / "read.json";
    const std::string read = "TZ=UTC nfdump -q -N -o json -R " + dir.path() + " >" + out;
    EXPECT_EQ(std::system(read.c_str()), 0);
    std::string text;
    for (const auto& line : lines_of(out)) {
        text += line + "\n";
    }
    const auto all = nlohmann::json::parse("[" + text + "]", nullptr, false);  // -q leaves them out
    EXPECT_TRUE(all.is_array()) << text.substr(0, 2000);
    return all.is_array() ? all.get<std::vector<nlohmann::json>>() : std::vector<nlohmann::json>();
}

TEST(Nfdump, ReadsBackWhatWasSent) {
    if (std::system("command -v nfcapd nfdump >/dev/null") != 0) {
        GTEST_SKIP() << "skipped: no nfcapd";
    }
    const ExportDir dir;
    const auto events = three_flows();
    const auto flows = collected(events, dir);
    ASSERT_EQ(flows.size(), events.size());
    for (std::size_t i = 0; i < flows.size(); ++i) {
        SCOPED_TRACE(flows[i].dump());
        const char* version = events[i].ip_version == 4 ? "4" : "6";
        EXPECT_EQ(
            flows[i][std::string("src") + version + "_addr"],
            event_address(events[i].source, events[i].ip_version));
        EXPECT_EQ(
            flows[i][std::string("dst") + version + "_addr"],
            event_address(events[i].destination, events[i].ip_version));
        EXPECT_EQ(flows[i]["src_port"], events[i].source_port);
        EXPECT_EQ(flows[i]["dst_port"], events[i].destination_port);
        EXPECT_EQ(flows[i]["proto"], events[i].proto);
        EXPECT_EQ(flows[i]["first"], "2023-11-14T22:13:20.123");
        EXPECT_EQ(flows[i]["last"], "2023-11-14T22:13:22.623");
        EXPECT_EQ(flows[i].value("dst_tos", 0), events[i].dscp.value_or(0) << 2);
        EXPECT_EQ(flows[i].value("src_vlan", 0), events[i].vlan);
        EXPECT_EQ(flows[i]["in_packets"], events[i].packets[0]);
        EXPECT_EQ(flows[i]["in_bytes"], events[i].bytes[0]);
        EXPECT_EQ(flows[i].value("out_packets", 0U), events[i].packets[1]);
        EXPECT_EQ(flows[i].value("out_bytes", 0U), events[i].bytes[1]);
    }
}

}  // namespace
}  // namespace weir::control::test
