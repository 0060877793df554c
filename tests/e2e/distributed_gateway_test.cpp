// SPDX-License-Identifier: BSD-3-Clause
// A gateway of two workers between two veth pairs, whose ends (net_af_packet) have one queue each: a distributor spreads
// flows, and sends for the workers.
#include "config/load.h"
#include "dataplane/gateway.h"
#include "dataplane/snapshot_build.h"
#include "tests/packets/packet_builder.h"
#include "tests/support/models.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <rte_eal.h>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

namespace weir::dataplane {
namespace {

using test::Bytes;

bool eal_is_up = false;

[[nodiscard]] int raw_socket(const char* interface) {
    const int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    constexpr int kBytes = 8 << 20;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBytes, sizeof(kBytes));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    return bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0 ? fd : -1;
}

class DistributedGateway : public testing::Test {
  protected:
    void SetUp() override {
        if (!eal_is_up) {
            GTEST_SKIP() << "skipped: two veth pairs of an own namespace need root and iproute2";
        }
    }

    void start(const std::string& distribute) {
        const auto config = config::load_text(
            "eal: {hugepages: off, memory_mb: 512, main_lcore: 0}\n"
            "workers: {lcores: [1, 2], distribute: " +
                distribute +
                ", flow_table: {capacity: 65536}}\n"
                "ports:\n"
                "  - {name: lan, device: 'net_af_packet_dl,iface=weira'}\n"
                "  - {name: wan, device: 'net_af_packet_dw,iface=weirb'}\n"
                "pairs: [[lan, wan]]\n",
            "weir.yaml");
        ASSERT_TRUE(config) << config.error()[0].line();
        config_ = *config;
        auto gateway = Gateway::create(config_);
        ASSERT_TRUE(gateway) << gateway.error().line();
        gateway_ = std::move(*gateway);
        const auto started = gateway_->start();
        ASSERT_TRUE(started) << started.error().line();
    }

    [[nodiscard]] static bool wait_until(const std::function<bool()>& done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        return done();
    }

    config::Config config_;
    std::unique_ptr<Gateway> gateway_;
};

// 3,000 packets of 60 flows from either side, while snapshots are swapped and hosts exchanged: all arrive at the other
// side, in order within a flow, each flow's packets both ways at one worker.
TEST_F(DistributedGateway, ForwardsEverythingInOrderWhileModelsAreSwapped) {
    start("auto");
    ASSERT_TRUE(gateway_->distributor().has_value()) << "net_af_packet has no RSS";
    const std::array<int, 2> outside{raw_socket("weirao"), raw_socket("weirbo")};
    ASSERT_GE(outside[0], 0);
    ASSERT_GE(outside[1], 0);
    constexpr std::uint32_t kPackets = 3000;
    constexpr std::uint32_t kFlows = 60;
    std::array<std::map<std::uint32_t, std::uint32_t>, 2> last;
    std::array<std::uint32_t, 2> arrived{};
    const auto look = [&](std::size_t side) {
        Bytes frame(256);
        sockaddr_ll from{};
        socklen_t size = sizeof(from);
        while (recvfrom(
                   outside[side],
                   frame.data(),
                   frame.size(),
                   MSG_DONTWAIT,
                   reinterpret_cast<sockaddr*>(&from),
                   &size) > 0) {
            std::array<std::uint32_t, 2> said{};  // flow, number
            std::memcpy(said.data(), frame.data() + 42, sizeof(said));
            if (from.sll_pkttype == PACKET_OUTGOING || frame[23] != 17) {
                continue;  // what this side sent, or what the kernel says
            }
            EXPECT_GT(said[1], last[side][said[0]]) << "flow " << said[0];
            last[side][said[0]] = said[1];
            ++arrived[side];
        }
    };
    std::uint64_t generation = 1;
    for (std::uint32_t n = 1; n <= kPackets; ++n) {
        const std::uint32_t flow = n * 7 % kFlows;
        const std::size_t from = n / kFlows % 2;
        const std::array<std::uint32_t, 2> says{flow, n};
        Bytes payload(sizeof(says));
        std::memcpy(payload.data(), says.data(), sizeof(says));
        const auto port = static_cast<std::uint16_t>(2000 + flow);
        const Bytes frame = test::eth(
            0x0800,
            test::ip4(
                {.src = from == 0 ? test::kAlice4 : test::kBob4,
                 .dst = from == 0 ? test::kBob4 : test::kAlice4,
                 .proto = 17},
                test::udp(
                    {.src = from == 0 ? port : std::uint16_t{53},
                     .dst = from == 0 ? std::uint16_t{53} : port},
                    payload)));
        ASSERT_EQ(write(outside[from], frame.data(), frame.size()), ssize_t(frame.size()));
        // Never more on the way than the smallest ring between.
        constexpr std::uint32_t kOnTheWay = 32;
        ASSERT_TRUE(wait_until([&] {
            look(0);
            look(1);
            return arrived[0] + arrived[1] + kOnTheWay >= n;
        })) << n
            << " sent, " << arrived[0] + arrived[1] << " arrived";
        if (n % 50 == 0) {
            gateway_->exchange_hosts();
            std::vector<std::shared_ptr<const SlotModel>> models;
            for (const config::Slot& slot : config_.slots) {
                models.push_back(test::random_model(
                    slot.name, {"benign", "one"}, n, static_cast<std::uint16_t>(n)));
            }
            gateway_->publisher().publish(build_snapshot(config_, models, ++generation));
        }
    }
    EXPECT_TRUE(wait_until([&] {
        look(0);
        look(1);
        return arrived[0] + arrived[1] == kPackets;
    })) << arrived[0]
        << " and " << arrived[1];
    gateway_->stop_workers();
    const Totals totals = gateway_->totals();
    EXPECT_TRUE(totals.conserved())
        << totals.rx_packets << " " << totals.tx_packets << " " << totals.dropped();
    EXPECT_GE(totals.rx_packets, kPackets);
    const auto distributor = gateway_->distributor();
    EXPECT_EQ(distributor->ports[0].lost + distributor->ports[1].lost, 0U);
    std::uint64_t flows = 0;
    for (const WorkerInfo& worker : gateway_->workers()) {
        EXPECT_GT(worker.stats->slots[0].scored.get(), 0U);
        flows += worker.stats->flows_created.get();
    }
    EXPECT_GE(flows, kFlows);
    EXPECT_LT(flows, kFlows + 20) << "a flow whose directions were apart would be two";
    close(outside[0]);
    close(outside[1]);
}

TEST_F(DistributedGateway, WithoutADistributorsCpuItSaysWhatToDo) {
    const auto config = config::load_text(
        "eal: {hugepages: off, main_lcore: 0}\n"
        "workers: {lcores: [1, 2], distributor_lcore: 2, flow_table: {capacity: 65536}}\n"
        "ports:\n"
        "  - {name: lan, device: 'net_af_packet_dl,iface=weira'}\n"
        "  - {name: wan, device: 'net_af_packet_dw,iface=weirb'}\n"
        "pairs: [[lan, wan]]\n",
        "weir.yaml");
    ASSERT_TRUE(config);
    const auto gateway = Gateway::create(*config);
    ASSERT_FALSE(gateway);
    EXPECT_EQ(
        gateway.error().line(),
        "workers.distributor_lcore: lcore 2 is workers.lcores[1], and port lan cannot spread flows "
        "over workers by symmetric RSS, so that a distributor must; fix: name another CPU "
        "(eal.main_lcore will do), or use one worker");
}

TEST_F(DistributedGateway, PortsOfOneQueueAreRefusedByRss) {
    const auto loaded = config::load_text(
        "eal: {hugepages: off, main_lcore: 0}\n"
        "workers: {lcores: [1, 2], distribute: rss, flow_table: {capacity: 65536}}\n"
        "ports:\n"
        "  - {name: lan, device: 'net_af_packet_dl,iface=weira'}\n"
        "  - {name: wan, device: 'net_af_packet_dw,iface=weirb'}\n"
        "pairs: [[lan, wan]]\n",
        "weir.yaml");
    ASSERT_TRUE(loaded);
    const auto gateway = Gateway::create(*loaded);
    ASSERT_FALSE(gateway);
    EXPECT_NE(gateway.error().line().find("workers.distribute to software"), std::string::npos)
        << gateway.error().line();
}

// An lcore a worker, whatever CPUs there are: three threads may share two.
[[nodiscard]] bool start() {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0 ||
        std::system("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null; "
                    "ip link add weirao type veth peer name weira && "
                    "ip link add weirbo type veth peer name weirb && "
                    "for i in weirao weira weirbo weirb; do "
                    "ip link set $i arp off multicast off up || exit 1; done") != 0) {
        return false;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    std::string cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) {
            cpus += (cpus.empty() ? "" : ",") + std::to_string(cpu);
        }
    }
    std::vector<std::string> args{
        "test",
        "--no-huge",
        "--no-shconf",
        "-m",
        "512",
        "--no-pci",
        "--no-telemetry",
        "--log-level=*:warning",
        "--lcores=(0-2)@(" + cpus + ")",
        "--file-prefix=weir_dg" + std::to_string(getpid())};
    std::vector<char*> argv;
    for (std::string& arg : args) {
        argv.push_back(arg.data());
    }
    return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

}  // namespace
}  // namespace weir::dataplane

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    weir::dataplane::eal_is_up = weir::dataplane::start();
    const int status = RUN_ALL_TESTS();
    if (weir::dataplane::eal_is_up) {
        rte_eal_cleanup();
    }
    return status;
}
