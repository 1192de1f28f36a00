// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The network engine of connector_info: takes a request (request.schema.json) and
// gives an observation (observation.schema.json) without what PowerShell adds; docs/observation.md has the words.
// It must compile as C# 5 against .NET Framework 4.5, warnings as errors, and run on PowerShell 7 too.
//
// In order: Probe (entry, order of looking), Board (what tasks share), Request, Stage, Names, Wire (socket),
// Visit (the stages of one connection), Hello (by hand), Handshake (the platform's), Http, Revocation.

using System;
using System.Collections;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace ansible_collections.appproxy.connector.plugins.module_utils._Probe {
// ---- entry ------------------------------------------------------------------------------------------------------

public static class Probe {
    // Returns at most half a second after the request's deadline. A bad request is an ArgumentException that names
    // the key. Any other exception is a fault of this file: it is thrown on, and fails the module.
    public static Dictionary<string, object> Observe(IDictionary request) {
        Stopwatch clock = Stopwatch.StartNew();
        Request wanted = Request.Read(request);
        RaiseThreads(wanted);
        Board board = new Board(wanted);
        Task work = Task.Run(() => RunAsync(board));
        Tasks.Forget(work);
        int left = (int)Math.Max(0, wanted.DeadlineMs - clock.ElapsedMilliseconds);
        Task.WaitAny(new Task[] { work }, left);
        Dictionary<string, object> seen = board.Freeze();
        Exception failure = board.Failure ?? (work.IsFaulted ? work.Exception.Flatten().InnerExceptions[0] : null);
        if (failure != null) {
            throw new InvalidOperationException("the network engine failed: " + failure, failure);
        }
        seen["schema"] = 1;
        seen["elapsed_ms"] = (int)clock.ElapsedMilliseconds;
        seen["deadline_ms"] = wanted.DeadlineMs;
        return seen;
    }

    // Handshakes of the Framework block pool threads, and the pool grows by one or two threads a second only.
    private static void RaiseThreads(Request wanted) {
        int workers, ports;
        ThreadPool.GetMinThreads(out workers, out ports);
        int need = Math.Min(256, 32 + 2 * wanted.Parallel * wanted.Paths.Count);
        ThreadPool.SetMinThreads(Math.Max(workers, need), Math.Max(ports, need));
    }

    private static async Task RunAsync(Board board) {
        board.SetPlatformHello(await PlatformHello.LookAsync(board));
        await Task.WhenAll(board.Runs.Select(run => RunPathAsync(board, run)).ToArray());
    }

    private static async Task RunPathAsync(Board board, PathRun run) {
        try {
            await FirstAddressesAsync(board, run, run.First);
            await Task.WhenAll(run.First.Select(attempt => FurtherAddressesAsync(board, run, attempt)).ToArray());
            await RecheckAsync(board, run);
            board.PlanSecondWave(run);
            await FirstAddressesAsync(board, run, run.Second);
        } catch (Exception e) {
            board.Fail(e);
        }
    }

    private static Task FirstAddressesAsync(Board board, PathRun run, IEnumerable<Attempt> attempts) {
        Func<Attempt, Task> visit = attempt => InSlotAsync(board, run, attempt, () => FirstAddressAsync(board, attempt));
        return Task.WhenAll(attempts.Select(visit).ToArray());
    }

    private static async Task InSlotAsync(Board board, PathRun run, Attempt attempt, Func<Task> work) {
        await run.Slots.WaitAsync();
        try {
            if (!board.Frozen) {
                await Task.Delay(board.Jitter());
                await work();
                board.Finish(attempt);
            }
        } catch (Exception e) {
            // Told at once, because the others may go on until the deadline.
            board.Fail(e);
        } finally {
            run.Slots.Release();
        }
    }

    private static async Task FirstAddressAsync(Board board, Attempt attempt) {
        attempt.LookUpOwnName(board.Names);
        IPAddress[] found = await ResolveAsync(board, attempt);
        if (found == null) {
            return;
        }
        board.Found(attempt, found);
        Wire wire = await ConnectAsync(board, attempt);
        if (wire != null) {
            await Visit.FollowAsync(board, attempt, wire);
        }
    }

    // Null when there is none.
    private static async Task<IPAddress[]> ResolveAsync(Board board, Attempt attempt) {
        IPAddress[] found = null;
        Stage stage = await Stage.RunAsync(board.Wanted.ResolveMs, "server_failure", null, async facts => {
            facts.Set("name", attempt.Dial.Host);
            IPAddress literal = attempt.Dial.Literal();
            if (literal != null) {
                facts.Set("literal", true);
                found = new IPAddress[] { literal };
            } else {
                found = await board.Names.Find(attempt.Dial.Host);
            }
            facts.Set("addresses", Texts.List(found));
        });
        return board.Record(attempt, "resolve", stage) ? found : null;
    }

    // Null when it did not connect.
    private static async Task<Wire> ConnectAsync(Board board, Attempt attempt) {
        if (!attempt.Due.Contains("connect")) {
            return null;
        }
        Wire wire = new Wire(board);
        Stage stage = await Stage.RunAsync(board.Wanted.ConnectMs, "reset", wire.GiveUp, async facts => {
            await wire.ConnectAsync(attempt.Address, attempt.Dial.Port);
            facts.Set("local", wire.Local);
        });
        if (board.Record(attempt, "connect", stage)) {
            return wire;
        }
        wire.Dispose();
        return null;
    }

    private static Task FurtherAddressesAsync(Board board, PathRun run, Attempt first) {
        List<Task> all = new List<Task>();
        TaskCompletionSource<bool> nothing = new TaskCompletionSource<bool>();
        nothing.SetResult(first.Passed("connect"));
        Task<bool> before = nothing.Task;
        foreach (Attempt further in board.AddFurther(run, first)) {
            Attempt attempt = further;
            Task<bool> earlier = before;
            TaskCompletionSource<bool> done = new TaskCompletionSource<bool>();
            before = done.Task;
            all.Add(InSlotAsync(board, run, attempt, () => FurtherAddressAsync(board, attempt, earlier, done)));
        }
        return Task.WhenAll(all.ToArray());
    }

    // `earlier` says whether an address before this one has connected; `done` tells it to the next one. An earlier
    // one has got its slot before, so waiting for it while holding a slot comes to an end.
    private static async Task FurtherAddressAsync(Board board, Attempt attempt, Task<bool> earlier, TaskCompletionSource<bool> done) {
        bool carried = true;
        try {
            Wire wire = await ConnectAsync(board, attempt);
            carried = await earlier;
            if (wire == null) {
                return;
            }
            if (carried) {
                wire.Dispose();
                return;
            }
            carried = true;
            done.TrySetResult(true);
            board.Carry(attempt);
            await Visit.FollowAsync(board, attempt, wire);
        } finally {
            done.TrySetResult(carried);
        }
    }

    // More than half of the first attempts timed out at one stage: one of them alone, with a fresh look-up.
    private static async Task RecheckAsync(Board board, PathRun run) {
        foreach (string name in Stage.Order) {
            Attempt[] late = run.First.Where(attempt => attempt.FailedWith(name, "timeout")).ToArray();
            if (late.Length * 2 > run.First.Count && !board.Frozen) {
                board.Names.Forget();
                Attempt again = board.AddRecheck(late[0], name);
                await FirstAddressAsync(board, again);
                board.Finish(again);
                return;
            }
        }
    }
}

// ---- what tasks share -------------------------------------------------------------------------------------------

// What was planned and what was seen. After Freeze nothing changes any more, whatever still runs.
internal sealed class Board {
    public readonly Request Wanted;
    public readonly Names Names = new Names();
    public readonly List<PathRun> Runs = new List<PathRun>();
    private readonly object gate = new object();
    private readonly HashSet<Wire> wires = new HashSet<Wire>();
    private readonly List<Attempt> rechecks = new List<Attempt>();
    private readonly Dictionary<string, byte[]> certificates = new Dictionary<string, byte[]>();
    private readonly Random random = new Random();
    private Stage platformStage;
    private PlatformHello platform;
    private Exception failure;
    private bool frozen;

    public Board(Request wanted) {
        Wanted = wanted;
        foreach (PathSpec path in wanted.Paths) {
            PathRun run = new PathRun(path, wanted.Parallel);
            run.First.AddRange(wanted.Targets.Select(target => new Attempt(wanted, path, target)));
            Runs.Add(run);
        }
    }

    public bool Frozen { get { lock (gate) { return frozen; } } }

    public Exception Failure { get { lock (gate) { return failure; } } }

    // Null where it could not be read.
    public PlatformHello Platform { get { lock (gate) { return platform; } } }

    public void Fail(Exception e) {
        // After the deadline sockets are closed under what still runs: what that meets is nobody's concern.
        lock (gate) { failure = frozen ? failure : failure ?? e; }
    }

    public int Jitter() {
        lock (gate) { return random.Next(0, 20); }
    }

    public void SetPlatformHello(KeyValuePair<Stage, PlatformHello> seen) {
        lock (gate) {
            platformStage = seen.Key;
            platform = seen.Key.Ok ? seen.Value : null;
        }
    }

    // True when the stage was ok and there is still time.
    public bool Record(Attempt attempt, string name, Stage stage) {
        lock (gate) {
            if (!frozen) {
                attempt.Ended[name] = stage;
            }
            return stage.Ok && !frozen;
        }
    }

    public void Finish(Attempt attempt) {
        lock (gate) { attempt.Finished = attempt.Finished || !frozen; }
    }

    public void Found(Attempt attempt, IPAddress[] addresses) {
        lock (gate) {
            if (!frozen) {
                attempt.Addresses = addresses;
                attempt.Address = addresses[0];
            }
        }
    }

    public void Carry(Attempt attempt) {
        lock (gate) {
            if (!frozen) {
                attempt.Due.AddRange(attempt.DueAfter("connect"));
            }
        }
    }

    public List<Attempt> AddFurther(PathRun run, Attempt first) {
        lock (gate) {
            if (!frozen && first.Target.Addresses && first.Addresses != null) {
                first.Further.AddRange(first.Addresses.Skip(1).Select(address => first.At(address)));
            }
            return first.Further;
        }
    }

    public Attempt AddRecheck(Attempt late, string stage) {
        lock (gate) {
            Attempt again = late.UpTo(stage);
            rechecks.Add(again);
            return again;
        }
    }

    public void PlanSecondWave(PathRun run) {
        lock (gate) {
            if (!frozen) {
                Plan(run);
            }
        }
    }

    // Sockets are known, so that the deadline can close them.
    public void Track(Wire wire) {
        lock (gate) {
            if (frozen) {
                throw new Fault("timeout", "the deadline has passed");
            }
            wires.Add(wire);
        }
    }

    public void Untrack(Wire wire) {
        lock (gate) { wires.Remove(wire); }
    }

    // Fingerprints of a chain whose certificates are kept once.
    public List<object> Keep(IEnumerable<byte[]> chain) {
        List<object> names = new List<object>();
        lock (gate) {
            foreach (byte[] certificate in chain) {
                string name;
                using (SHA256 hash = SHA256.Create()) {
                    name = Texts.Hex(hash.ComputeHash(certificate), 32);
                }
                if (!frozen) {
                    certificates[name] = certificate;
                }
                names.Add(name);
            }
        }
        return names;
    }

    public Dictionary<string, object> Freeze() {
        Wire[] open;
        Dictionary<string, object> seen = new Dictionary<string, object>();
        lock (gate) {
            frozen = true;
            open = wires.ToArray();
            List<object> attempts = new List<object>();
            foreach (PathRun run in Runs) {
                foreach (Attempt first in run.First) {
                    attempts.Add(first.AsTable());
                    attempts.AddRange(first.Further.Select(further => further.AsTable()));
                }
            }
            foreach (PathRun run in Runs) {
                // What the chains named is due also where there was no time left for it.
                Plan(run);
                attempts.AddRange(run.Second.Select(attempt => attempt.AsTable()));
            }
            Fault late = new Fault("timeout", "it had not come at the deadline");
            seen["platform_hello"] = (platformStage ?? new Stage(late, 0, new Dictionary<string, object>())).AsFact();
            seen["attempts"] = attempts;
            seen["rechecks"] = rechecks.Select(attempt => (object)attempt.AsRecheck()).ToList();
            seen["certificates"] = certificates.ToDictionary(pair => pair.Key, pair => (object)Convert.ToBase64String(pair.Value));
        }
        foreach (Wire wire in open) {
            wire.Dispose();
        }
        return seen;
    }

    private void Plan(PathRun run) {
        if (run.Planned) {
            return;
        }
        run.Planned = true;
        IEnumerable<Attempt> firstWave = run.First.SelectMany(first => new Attempt[] { first }.Concat(first.Further));
        List<byte[]> sight = new List<byte[]>();
        foreach (Attempt attempt in firstWave) {
            foreach (string name in new string[] { "hello", "handshake" }) {
                foreach (object fingerprint in attempt.ChainOf(name)) {
                    byte[] certificate;
                    if (certificates.TryGetValue((string)fingerprint, out certificate) && !sight.Contains(certificate)) {
                        sight.Add(certificate);
                    }
                }
            }
        }
        HashSet<string> asked = new HashSet<string>(Wanted.Targets.Where(target => !target.Tls).Select(target => target.PlainUrl()));
        foreach (RevocationUrl url in Revocation.Urls(sight)) {
            if (run.Second.Count < Wanted.RevocationLimit && asked.Add(url.Named)) {
                run.Second.Add(new Attempt(Wanted, run.Path, url));
            }
        }
    }
}

internal sealed class PathRun {
    public readonly PathSpec Path;
    public readonly SemaphoreSlim Slots;
    public readonly List<Attempt> First = new List<Attempt>();
    public readonly List<Attempt> Second = new List<Attempt>();
    public bool Planned;

    public PathRun(PathSpec path, int parallel) {
        Path = path;
        Slots = new SemaphoreSlim(parallel);
    }
}

// One endpoint over one path at one address. Its lists and tables change under the board's lock only.
internal sealed class Attempt {
    public readonly Request Wanted;
    public readonly PathSpec Path;
    public readonly TargetSpec Target;
    public readonly int Wave;
    public readonly string Url;
    // Whom to ask for: the endpoint, or what connect_to puts in its place.
    public readonly Place Endpoint;
    // Where the TCP connection goes: the endpoint, or the proxy.
    public readonly Place Dial;
    public readonly bool Redirected;
    public readonly List<string> Due = new List<string>();
    public readonly Dictionary<string, Stage> Ended = new Dictionary<string, Stage>();
    public readonly List<Attempt> Further = new List<Attempt>();
    public IPAddress[] Addresses;
    public IPAddress Address;
    public bool Finished;
    // Over a proxy the look-up of the endpoint's own name: a fact, not a need.
    private Task<IPAddress[]> ownName;

    public Attempt(Request wanted, PathSpec path, TargetSpec target) : this(wanted, path, target, 1, null) {
        Due.Add("resolve");
        Due.Add("connect");
        Due.AddRange(DueAfter("connect"));
    }

    public Attempt(Request wanted, PathSpec path, RevocationUrl url) : this(wanted, path, url.AsTarget(wanted), 2, url.Url) {
        Due.Add("resolve");
        Due.Add("connect");
        Due.AddRange(DueAfter("connect"));
    }

    private Attempt(Request wanted, PathSpec path, TargetSpec target, int wave, string url) {
        Wanted = wanted;
        Path = path;
        Target = target;
        Wave = wave;
        Url = url;
        Endpoint = wanted.Redirect(target.Place);
        Redirected = !ReferenceEquals(Endpoint, target.Place);
        Dial = path.Proxy == null ? Endpoint : wanted.Redirect(path.Proxy);
    }

    public bool Direct { get { return Path.Proxy == null; } }

    public void LookUpOwnName(Names names) {
        if (!Direct && ownName == null) {
            ownName = names.Find(Endpoint.Host);
        }
    }

    public IEnumerable<string> DueAfter(string stage) {
        return Stage.Order.Where(name => Array.IndexOf(Stage.Order, name) > Array.IndexOf(Stage.Order, stage) && Wants(name));
    }

    private bool Wants(string stage) {
        switch (stage) {
            case "proxy": return !Direct;
            case "hello":
            case "handshake": return Target.Tls;
            case "websocket": return Target.WebSocket != null;
            default: return true;
        }
    }

    // The same at a further address, which is only connected to at first.
    public Attempt At(IPAddress address) {
        Attempt further = new Attempt(Wanted, Path, Target, Wave, Url);
        further.Due.Add("connect");
        further.Address = address;
        return further;
    }

    // The same from the start, as far as a stage; a hello on the way there is left out, since it bars nothing.
    public Attempt UpTo(string stage) {
        Attempt again = new Attempt(Wanted, Path, Target, Wave, Url);
        IEnumerable<string> names = Stage.Order.Take(Array.IndexOf(Stage.Order, stage) + 1);
        again.Due.AddRange(names.Where(name => again.Wants(name) && (name != "hello" || stage == "hello")));
        return again;
    }

    public bool Passed(string name) {
        Stage stage;
        return Ended.TryGetValue(name, out stage) && stage.Ok;
    }

    public bool FailedWith(string name, string code) {
        Stage stage;
        return Ended.TryGetValue(name, out stage) && !stage.Ok && stage.Fault.Code == code;
    }

    public List<object> ChainOf(string name) {
        Stage stage;
        object chain;
        return Ended.TryGetValue(name, out stage) && stage.Facts.TryGetValue("chain", out chain) ? (List<object>)chain : new List<object>();
    }

    public Dictionary<string, object> AsTable() {
        Dictionary<string, object> stages = new Dictionary<string, object>();
        foreach (string name in Due) {
            Stage stage;
            if (Ended.TryGetValue(name, out stage)) {
                stages[name] = stage.AsTable(name == "resolve" ? OwnNameFact() : null);
                if (!stage.Ok && name != "hello" && !stage.Usable) {
                    break;
                }
            } else if (!Finished) {
                stages[name] = Stage.NotRun();
            }
        }
        Dictionary<string, object> table = new Dictionary<string, object>();
        table["target"] = Target.Id;
        table["path"] = Path.Id;
        table["wave"] = Wave;
        table["url"] = Url;
        table["address"] = Address == null ? null : Address.ToString();
        table["port"] = Dial.Port;
        table["redirected_to"] = Redirected ? Endpoint.ToString() : null;
        table["stages"] = stages;
        return table;
    }

    // The stage in question is the last that is due; where an earlier one failed, that one is the answer.
    public Dictionary<string, object> AsRecheck() {
        string name = Due.Last();
        Dictionary<string, object> result = Stage.NotRun();
        foreach (string due in Due) {
            Stage stage;
            if (Ended.TryGetValue(due, out stage)) {
                name = due;
                result = stage.AsTable(null);
            } else if (!Finished) {
                name = Due.Last();
                result = Stage.NotRun();
            }
        }
        Dictionary<string, object> table = new Dictionary<string, object>();
        table["path"] = Path.Id;
        table["target"] = Target.Id;
        table["stage"] = name;
        table["result"] = result;
        return table;
    }

    private Dictionary<string, object> OwnNameFact() {
        if (ownName == null || !ownName.IsCompleted) {
            return null;
        }
        Dictionary<string, object> own = new Dictionary<string, object>();
        if (ownName.IsFaulted) {
            Fault fault = ownName.Exception.Flatten().InnerExceptions[0] as Fault;
            own["error"] = fault == null ? "server_failure" : fault.Code;
        } else {
            own["addresses"] = Texts.List(ownName.Result);
        }
        return own;
    }
}

// ---- request ----------------------------------------------------------------------------------------------------

// A host and a port; the host without brackets.
internal sealed class Place {
    public readonly string Host;
    public readonly int Port;

    public Place(string host, int port) {
        Host = host.Trim('[', ']');
        Port = port;
    }

    // host:port, an IPv6 address in brackets. Null when it is not that.
    public static Place Parse(string text) {
        int colon = text.LastIndexOf(':');
        int port;
        bool isNumber = int.TryParse(text.Substring(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port);
        if (colon < 1 || !isNumber || port < 1 || port > 65535) {
            return null;
        }
        string host = text.Substring(0, colon);
        bool bracketed = host.StartsWith("[", StringComparison.Ordinal) && host.EndsWith("]", StringComparison.Ordinal);
        Place place = new Place(host, port);
        return (place.Host.IndexOf(':') >= 0 && !bracketed) || !place.IsSound() ? null : place;
    }

    // Fit for a request line, a Host header and SNI.
    public bool IsSound() {
        bool named = Host.Length <= 253 && Host.TrimEnd('.').Split('.').All(label => label.Length >= 1 && label.Length <= 63);
        bool plain = Texts.IsPlain(Host) && Host.IndexOfAny(new char[] { '/', '@', '[', ']' }) < 0;
        return plain && (Host.IndexOf(':') < 0 ? named : Literal() != null);
    }

    // Null when the host is a name. Short forms such as 10.1 are names here: the parser would guess.
    public IPAddress Literal() {
        IPAddress address;
        bool looks = Host.IndexOf(':') >= 0 || (Host.Split('.').Length == 4 && Host.All(c => c == '.' || (c >= '0' && c <= '9')));
        return looks && IPAddress.TryParse(Host, out address) ? address : null;
    }

    // The name to tell a server in SNI; null for an address.
    public string ServerName() {
        return Literal() == null ? Host.TrimEnd('.') : null;
    }

    private string Bracketed() {
        return Host.IndexOf(':') >= 0 ? "[" + Host + "]" : Host;
    }

    // As a Host header says it.
    public string Header(int usualPort) {
        return Port == usualPort ? Bracketed() : ToString();
    }

    public override string ToString() {
        return Bracketed() + ":" + Port.ToString(CultureInfo.InvariantCulture);
    }
}

internal sealed class PathSpec {
    public string Id;
    // Null is direct.
    public Place Proxy;
}

internal sealed class TargetSpec {
    public string Id;
    public Place Place;
    public bool Tls;
    public string Get;
    public string WebSocket;
    public string UserAgent;
    public bool Addresses;

    public string PlainUrl() {
        return Place.ToString().ToLowerInvariant() + Get;
    }

    public string HostHeader() {
        return Place.Header(Tls ? 443 : 80);
    }
}

internal sealed class Request {
    public int DeadlineMs, ResolveMs, ConnectMs, ProxyMs, HelloMs, HandshakeMs, RequestMs, Parallel, RevocationLimit;
    public string RevocationUserAgent;
    public readonly List<PathSpec> Paths = new List<PathSpec>();
    public readonly List<TargetSpec> Targets = new List<TargetSpec>();
    private readonly Dictionary<string, Place> connectTo = new Dictionary<string, Place>(StringComparer.OrdinalIgnoreCase);

    // The place itself (the same object) where connect_to has nothing for it.
    public Place Redirect(Place place) {
        Place other;
        return connectTo.TryGetValue(place.ToString(), out other) ? other : place;
    }

    public static Request Read(IDictionary table) {
        Options top = new Options(
            "request", table, "schema", "deadline_ms", "timeouts_ms", "parallel", "paths", "targets", "connect_to", "revocation");
        Request request = new Request();
        top.Number("schema", null, 1, 1);
        request.DeadlineMs = top.Number("deadline_ms", 20000, 1000, 600000);
        request.Parallel = top.Number("parallel", 16, 1, 64);
        Options timeouts = top.Table("timeouts_ms", "resolve", "connect", "proxy", "hello", "handshake", "request");
        request.ResolveMs = timeouts.Number("resolve", 5000, 100, int.MaxValue / 4);
        request.ConnectMs = timeouts.Number("connect", 6000, 100, int.MaxValue / 4);
        request.ProxyMs = timeouts.Number("proxy", 6000, 100, int.MaxValue / 4);
        request.HelloMs = timeouts.Number("hello", 5000, 100, int.MaxValue / 4);
        request.HandshakeMs = timeouts.Number("handshake", 7000, 100, int.MaxValue / 4);
        request.RequestMs = timeouts.Number("request", 6000, 100, int.MaxValue / 4);
        Options revocation = top.Table("revocation", "limit", "user_agent");
        request.RevocationLimit = revocation.Number("limit", 24, 0, int.MaxValue);
        request.RevocationUserAgent = revocation.Header("user_agent", "Microsoft-CryptoAPI/10.0");
        request.ReadConnectTo(top);
        request.ReadPaths(top);
        request.ReadTargets(top);
        return request;
    }

    private void ReadConnectTo(Options top) {
        Options map = top.Table("connect_to");
        foreach (string key in map.Keys) {
            Place from = Place.Parse(key);
            Place to = Place.Parse(map.Text(key, null));
            if (from == null) {
                throw map.Bad(key, "must be named host:port");
            }
            if (to == null) {
                throw map.Bad(key, "must be address:port, an IPv6 address in brackets");
            }
            connectTo[from.ToString()] = to;
        }
    }

    private void ReadPaths(Options top) {
        foreach (Options item in top.List("paths", "id", "ways")) {
            IList<object> ways = item.Items("ways");
            PathSpec path = new PathSpec { Id = item.Text("id", null) };
            for (int i = 0; i < ways.Count; i++) {
                string way = ways[i] as string;
                Place proxy = way != null && way.StartsWith("http://", StringComparison.Ordinal) ? Place.Parse(way.Substring(7)) : null;
                if (way != "direct" && proxy == null) {
                    throw item.Bad("ways", "must hold 'direct' and 'http://host:port' only");
                }
                if (i == 0) {
                    path.Proxy = proxy;
                }
            }
            if (ways.Count == 0) {
                throw item.Bad("ways", "must not be empty");
            }
            Paths.Add(path);
        }
        if (Paths.Count == 0) {
            throw top.Bad("paths", "must not be empty");
        }
    }

    private void ReadTargets(Options top) {
        foreach (Options item in top.List("targets", "id", "host", "port", "tls", "get", "websocket", "user_agent", "addresses")) {
            TargetSpec target = new TargetSpec();
            target.Id = item.Text("id", null);
            target.Place = new Place(item.Text("host", null), item.Number("port", null, 1, 65535));
            if (!target.Place.IsSound()) {
                throw item.Bad("host", "must be a host name or an address, without a port");
            }
            target.Tls = item.Flag("tls", null);
            target.Get = item.UrlPath("get", "/");
            target.WebSocket = item.Has("websocket") ? item.UrlPath("websocket", null) : null;
            target.UserAgent = item.Header("user_agent", "appproxy.connector");
            target.Addresses = item.Flag("addresses", true);
            Targets.Add(target);
        }
    }
}

// Typed reading of one table of the request; each error names the key, as in request.targets[3].port.
internal sealed class Options {
    private readonly string name;
    private readonly IDictionary table;

    // Without allowed keys any key is allowed.
    public Options(string name, IDictionary table, params string[] allowed) {
        this.name = name;
        this.table = table;
        foreach (object key in table.Keys) {
            if (!(key is string) || (allowed.Length > 0 && !allowed.Contains((string)key))) {
                throw Bad(Convert.ToString(key, CultureInfo.InvariantCulture), "is not known; known are: " + string.Join(", ", allowed));
            }
        }
    }

    public IEnumerable<string> Keys { get { return table.Keys.Cast<string>(); } }

    public ArgumentException Bad(string key, string why) {
        return new ArgumentException(name + "." + key + ": " + why);
    }

    // A null counts as absent only where the schema allows it, which is for websocket.
    public bool Has(string key) {
        return table.Contains(key) && Plain(table[key]) != null;
    }

    // PowerShell may have wrapped what came out of JSON.
    private static object Plain(object value) {
        PSObject wrapped = value as PSObject;
        return wrapped == null ? value : wrapped.BaseObject;
    }

    private object Need(string key) {
        if (!table.Contains(key)) {
            throw Bad(key, "is required");
        }
        return Plain(table[key]);
    }

    public int Number(string key, int? usual, int least, int most) {
        if (usual.HasValue && !table.Contains(key)) {
            return usual.Value;
        }
        object value = Need(key);
        long number = value is int ? (int)value : value is long ? (long)value : long.MinValue;
        if (number < least || number > most) {
            throw Bad(key, Texts.Say("must be a whole number from {0} to {1}", least, most));
        }
        return (int)number;
    }

    public bool Flag(string key, bool? usual) {
        if (usual.HasValue && !table.Contains(key)) {
            return usual.Value;
        }
        object value = Need(key);
        if (!(value is bool)) {
            throw Bad(key, "must be true or false");
        }
        return (bool)value;
    }

    public string Text(string key, string usual) {
        if (usual != null && !table.Contains(key)) {
            return usual;
        }
        string value = Need(key) as string;
        if (string.IsNullOrEmpty(value)) {
            throw Bad(key, "must be a text that is not empty");
        }
        return value;
    }

    public string Header(string key, string usual) {
        string value = table.Contains(key) ? Need(key) as string : usual;
        if (value == null || value.Any(c => c < ' ' || c > '~')) {
            throw Bad(key, "must be a text without control characters");
        }
        return value;
    }

    public string UrlPath(string key, string usual) {
        string value = Text(key, usual);
        if (value[0] != '/' || !Texts.IsPlain(value)) {
            throw Bad(key, "must begin with / and hold no spaces or control characters");
        }
        return value;
    }

    public Options Table(string key, params string[] allowed) {
        if (!table.Contains(key)) {
            return new Options(name + "." + key, new Hashtable(), allowed);
        }
        return AsTable(key, Need(key), allowed);
    }

    public IList<object> Items(string key) {
        IList list = Need(key) as IList;
        if (list == null) {
            throw Bad(key, "must be a list");
        }
        return list.Cast<object>().Select(Plain).ToList();
    }

    public IEnumerable<Options> List(string key, params string[] allowed) {
        return Items(key).Select((item, i) => AsTable(key + "[" + i.ToString(CultureInfo.InvariantCulture) + "]", item, allowed)).ToList();
    }

    private Options AsTable(string key, object value, string[] allowed) {
        IDictionary inner = value as IDictionary;
        if (inner == null) {
            throw Bad(key, "must be a dictionary");
        }
        return new Options(name + "." + key, inner, allowed);
    }
}

// ---- stages and faults ------------------------------------------------------------------------------------------

// A typed error of the observation. Code null never happens; the message is the platform's own words.
internal sealed class Fault : Exception {
    public readonly string Code;
    public int? Level;
    public int? Description;
    public bool IsAlert;
    public int? Bytes;
    public string FirstBytes;

    public Fault(string code, string message) : base(message) {
        Code = code;
    }

    public static Fault Alert(int level, int? description, string message) {
        return new Fault("alert", message) { Level = level, Description = description, IsAlert = true };
    }

    public static T Find<T>(Exception e) where T : Exception {
        for (Exception at = e; at != null; at = at.InnerException) {
            T found = at as T;
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    // What a broken connection means; null when the exception is no word of the network but a mistake of ours.
    public static Fault Of(Exception e, string resetCode) {
        Fault fault = Find<Fault>(e);
        if (fault != null) {
            return fault;
        }
        SocketException socket = Find<SocketException>(e);
        if (socket != null) {
            switch (socket.SocketErrorCode) {
                case SocketError.ConnectionReset:
                case SocketError.ConnectionAborted:
                case SocketError.ConnectionRefused:
                    return new Fault(resetCode, Words(socket));
                case SocketError.TimedOut:
                    return new Fault("timeout", Words(socket));
                default:
                    return new Fault("closed", Words(socket));
            }
        }
        if (e is IOException || e is ObjectDisposedException || e is AuthenticationException || e is Win32Exception) {
            return new Fault("closed", Words(e));
        }
        return null;
    }

    public static Fault OfConnect(SocketException e) {
        switch (e.SocketErrorCode) {
            case SocketError.ConnectionRefused: return new Fault("refused", Words(e));
            case SocketError.TimedOut: return new Fault("timeout", Words(e));
            case SocketError.ConnectionReset:
            case SocketError.ConnectionAborted: return new Fault("reset", Words(e));
            // The last two are no word of the network: this machine gives out no more sockets.
            case SocketError.AccessDenied:
            case SocketError.TooManyOpenSockets:
            case SocketError.NoBufferSpaceAvailable: return new Fault("denied", Words(e));
            default: return new Fault("unreachable", Words(e));
        }
    }

    public static string Words(Exception e) {
        Exception inner = e;
        while (inner.InnerException != null) {
            inner = inner.InnerException;
        }
        string text = ReferenceEquals(inner, e) ? e.Message : e.Message + " " + inner.Message;
        Win32Exception native = inner as Win32Exception;
        return native == null ? text : text + Texts.Say(" (0x{0:x8})", native.NativeErrorCode);
    }

    public Dictionary<string, object> AsTable() {
        Dictionary<string, object> table = new Dictionary<string, object>();
        table["code"] = Code;
        table["message"] = Texts.Cut(Message, 500);
        if (IsAlert) {
            table["level"] = Level;
            table["description"] = Description;
        }
        if (Bytes.HasValue) {
            table["bytes"] = Bytes.Value;
        }
        if (FirstBytes != null) {
            table["first_bytes"] = FirstBytes;
        }
        return table;
    }
}

// What a stage saw, also before an error. Closed at the stage's end, since what was abandoned goes on running.
internal sealed class Facts {
    private readonly Dictionary<string, object> seen = new Dictionary<string, object>();
    private bool closed;

    public void Set(string key, object value) {
        lock (seen) {
            if (!closed) {
                seen[key] = value;
            }
        }
    }

    public Dictionary<string, object> Close() {
        lock (seen) {
            closed = true;
            return seen;
        }
    }
}

internal sealed class Stage {
    public static readonly string[] Order = { "resolve", "connect", "proxy", "hello", "handshake", "request", "websocket" };
    public readonly Fault Fault;
    public readonly int Ms;
    public readonly Dictionary<string, object> Facts;
    // A handshake with certificate errors only: the connection is there.
    public bool Usable;

    public Stage(Fault fault, int ms, Dictionary<string, object> facts) {
        Fault = fault;
        Ms = ms;
        Facts = facts;
    }

    public bool Ok { get { return Fault == null; } }

    // Runs one stage with its timeout. `late` closes what is open and says what silence means (null: a timeout).
    public static async Task<Stage> RunAsync(int ms, string resetCode, Func<Fault> late, Func<Facts, Task> work) {
        Stopwatch clock = Stopwatch.StartNew();
        Facts facts = new Facts();
        Task job = Task.Run(() => work(facts));
        Fault fault = null;
        if (await Tasks.EndsWithinAsync(job, ms)) {
            try {
                await job;
            } catch (Exception e) {
                fault = Fault.Of(e, resetCode);
                if (fault == null) {
                    throw;
                }
            }
        } else {
            Tasks.Forget(job);
            facts.Close();
            fault = late == null ? Tasks.Late(ms) : late();
        }
        return new Stage(fault, (int)clock.ElapsedMilliseconds, facts.Close());
    }

    public static Dictionary<string, object> NotRun() {
        return new Dictionary<string, object> { { "state", "not_run" }, { "reason", "deadline" } };
    }

    // `endpoint` is a fact that comes late: the look-up of the endpoint's own name over a proxy.
    public Dictionary<string, object> AsTable(Dictionary<string, object> endpoint) {
        Dictionary<string, object> facts = new Dictionary<string, object>(Facts);
        if (endpoint != null) {
            facts["endpoint"] = endpoint;
        }
        Dictionary<string, object> table = new Dictionary<string, object>();
        table["state"] = Ok ? "ok" : "error";
        table["ms"] = Ms;
        table["facts"] = facts;
        if (!Ok) {
            table["error"] = Fault.AsTable();
        }
        return table;
    }

    public Dictionary<string, object> AsFact() {
        Dictionary<string, object> table = new Dictionary<string, object>();
        table["ok"] = Ok;
        table[Ok ? "value" : "error"] = Ok ? Facts : Fault.AsTable();
        return table;
    }
}

internal static class Tasks {
    public static async Task<bool> EndsWithinAsync(Task task, int ms) {
        using (CancellationTokenSource stop = new CancellationTokenSource()) {
            Task first = await Task.WhenAny(task, Task.Delay(ms, stop.Token));
            stop.Cancel();
            return ReferenceEquals(first, task) || task.IsCompleted;
        }
    }

    public static Fault Late(int ms) {
        return new Fault("timeout", Texts.Say("not done within {0} ms", ms));
    }

    // An abandoned task's exception is looked at, so that nobody reports it as unobserved.
    public static void Forget(Task task) {
        TaskContinuationOptions how = TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously;
        task.ContinueWith(done => done.Exception, CancellationToken.None, how, TaskScheduler.Default);
    }
}

internal static class Texts {
    public static List<object> List<T>(IEnumerable<T> items) {
        return items.Select(item => item is int ? (object)item : Convert.ToString(item, CultureInfo.InvariantCulture)).ToList();
    }

    // The same in every culture.
    public static string Say(string format, params object[] parts) {
        return string.Format(CultureInfo.InvariantCulture, format, parts);
    }

    public static string Hex(byte[] bytes, int most) {
        return string.Concat(bytes.Take(most).Select(one => one.ToString("x2", CultureInfo.InvariantCulture)));
    }

    public static string Cut(string text, int most) {
        return text.Length <= most ? text : text.Substring(0, most);
    }

    // Printable ASCII without a space: fit for a request line.
    public static bool IsPlain(string text) {
        return text.All(c => c > ' ' && c <= '~');
    }
}

// ---- names and sockets ------------------------------------------------------------------------------------------

// Each name is looked up once, by the system's own resolver, which keeps its order of addresses.
internal sealed class Names {
    private readonly Dictionary<string, Task<IPAddress[]>> known =
        new Dictionary<string, Task<IPAddress[]>>(StringComparer.OrdinalIgnoreCase);

    public Task<IPAddress[]> Find(string host) {
        lock (known) {
            Task<IPAddress[]> found;
            if (!known.TryGetValue(host, out found)) {
                // A thread of its own: it blocks, perhaps for long, and must not hold the pool.
                TaskCreationOptions how = TaskCreationOptions.LongRunning;
                found = Task.Factory.StartNew(() => LookUp(host), CancellationToken.None, how, TaskScheduler.Default);
                Tasks.Forget(found);
                known[host] = found;
            }
            return found;
        }
    }

    public void Forget() {
        lock (known) { known.Clear(); }
    }

    private static IPAddress[] LookUp(string host) {
        IPAddress literal = new Place(host, 1).Literal();
        if (literal != null) {
            return new IPAddress[] { literal };
        }
        IPAddress[] found;
        try {
            found = Dns.GetHostAddresses(host).Distinct().ToArray();
        } catch (SocketException e) {
            throw new Fault(Code(e.SocketErrorCode), Fault.Words(e));
        }
        if (found.Length == 0) {
            throw new Fault("no_data", "the name has no address");
        }
        return found;
    }

    private static string Code(SocketError error) {
        switch (error) {
            case SocketError.HostNotFound: return "nxdomain";
            case SocketError.NoData: return "no_data";
            default: return "server_failure";
        }
    }
}

// One TCP connection as a stream; and what a TLS server says on it in the clear, which SslStream does not tell.
internal sealed class Wire : Stream {
    public readonly ClearRecords Clear = new ClearRecords();
    private readonly Board board;
    private readonly object gate = new object();
    private Socket socket;
    private bool disposed;
    private byte[] early = new byte[0];

    public Wire(Board board) {
        this.board = board;
    }

    // The far end has closed in an orderly way.
    public bool Ended { get; private set; }

    public int Received { get; private set; }

    public string Local { get { return ((IPEndPoint)socket.LocalEndPoint).Address.ToString(); } }

    // The tick of the last byte that came, for telling the network's time from the platform's own.
    public long LastRead { get; private set; }

    public async Task ConnectAsync(IPAddress address, int port) {
        try {
            Open(address);
            IPEndPoint end = new IPEndPoint(address, port);
            await Task.Factory.FromAsync((done, state) => socket.BeginConnect(end, done, state), socket.EndConnect, null);
        } catch (SocketException e) {
            throw Fault.OfConnect(e);
        }
    }

    private void Open(IPAddress address) {
        board.Track(this);
        lock (gate) {
            if (disposed) {
                throw new ObjectDisposedException("Wire");
            }
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.NoDelay = true;
        }
    }

    // What was read beyond a proxy's answer is read again.
    public void PutBack(byte[] bytes) {
        early = bytes;
    }

    // For a stage whose time is up: the socket is closed, never the SslStream over it.
    public Fault GiveUp() {
        Dispose();
        return new Fault("timeout", "no answer in time");
    }

    public override async Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken token) {
        if (count == 0) {
            return 0;
        }
        int taken = Math.Min(early.Length, count);
        if (taken > 0) {
            Array.Copy(early, 0, buffer, offset, taken);
            early = early.Skip(taken).ToArray();
        } else {
            taken = await Task<int>.Factory.FromAsync(
                (done, state) => socket.BeginReceive(buffer, offset, count, SocketFlags.None, done, state), socket.EndReceive, null);
        }
        Note(buffer, offset, taken);
        return taken;
    }

    public override async Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken token) {
        int sent = 0;
        while (sent < count) {
            int from = offset + sent;
            int left = count - sent;
            sent += await Task<int>.Factory.FromAsync(
                (done, state) => socket.BeginSend(buffer, from, left, SocketFlags.None, done, state), socket.EndSend, null);
        }
    }

    private void Note(byte[] buffer, int offset, int taken) {
        LastRead = Stopwatch.GetTimestamp();
        Received += taken;
        Ended = taken == 0;
        Clear.Feed(buffer, offset, taken);
    }

    // The Framework's SslStream reads through Begin and End.
    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback callback, object state) {
        TaskCompletionSource<int> source = new TaskCompletionSource<int>(state);
        Pass(ReadAsync(buffer, offset, count, CancellationToken.None), source, task => task.Result, callback);
        return source.Task;
    }

    public override int EndRead(IAsyncResult result) {
        return ((Task<int>)result).GetAwaiter().GetResult();
    }

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback callback, object state) {
        TaskCompletionSource<int> source = new TaskCompletionSource<int>(state);
        Pass(WriteAsync(buffer, offset, count, CancellationToken.None), source, task => 0, callback);
        return source.Task;
    }

    public override void EndWrite(IAsyncResult result) {
        ((Task<int>)result).GetAwaiter().GetResult();
    }

    private static void Pass<T>(T work, TaskCompletionSource<int> source, Func<T, int> result, AsyncCallback callback) where T : Task {
        work.ContinueWith(done => {
            if (done.IsFaulted) {
                source.TrySetException(done.Exception.InnerExceptions);
            } else if (done.IsCanceled) {
                source.TrySetCanceled();
            } else {
                source.TrySetResult(result((T)done));
            }
            if (callback != null) {
                callback(source.Task);
            }
        }, TaskScheduler.Default);
    }

    public override int Read(byte[] buffer, int offset, int count) {
        return ReadAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();
    }

    public override void Write(byte[] buffer, int offset, int count) {
        WriteAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();
    }

    public override bool CanRead { get { return true; } }
    public override bool CanWrite { get { return true; } }
    public override bool CanSeek { get { return false; } }
    public override long Length { get { throw new NotSupportedException(); } }
    public override long Position { get { throw new NotSupportedException(); } set { throw new NotSupportedException(); } }
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) { throw new NotSupportedException(); }
    public override void SetLength(long value) { throw new NotSupportedException(); }

    protected override void Dispose(bool disposing) {
        Socket open;
        lock (gate) {
            open = disposed ? null : socket;
            disposed = true;
        }
        if (open != null) {
            open.Close();
            board.Untrack(this);
        }
        base.Dispose(disposing);
    }
}

// Follows the record layer of what a server sends, as long as it is in the clear: a fatal alert, and the first
// ServerHello's suite. Anything that is not a record ends the looking.
internal sealed class ClearRecords {
    private readonly List<byte> pending = new List<byte>();
    private readonly List<byte> hello = new List<byte>();
    private bool on;

    public Fault Alert { get; private set; }

    // The server has begun to encrypt: an alert may have come that nobody can read here.
    public bool Encrypted { get; private set; }

    public int? Suite { get; private set; }

    public void Start() {
        on = true;
    }

    public void Feed(byte[] buffer, int offset, int count) {
        if (!on) {
            return;
        }
        pending.AddRange(buffer.Skip(offset).Take(count));
        while (on && pending.Count >= 5) {
            int length = pending[3] << 8 | pending[4];
            if (pending[1] != 3 || pending[0] < 20 || pending[0] > 23 || length > 18432) {
                on = false;
                return;
            }
            if (pending.Count < 5 + length) {
                return;
            }
            Take(pending[0], pending.Skip(5).Take(length).ToArray());
            pending.RemoveRange(0, 5 + length);
        }
    }

    private void Take(int type, byte[] body) {
        if (type == 20 || type == 23) {
            Encrypted = true;
            on = false;
        } else if (type == 21 && body.Length == 2 && body[0] == 2) {
            Alert = Fault.Alert(body[0], body[1], Texts.Say("the server sent alert {0}", body[1]));
        } else if (type == 22 && Suite == null) {
            hello.AddRange(body);
            // Type, length, version and random are 38 bytes; then the session id with its length, then the suite.
            if (hello.Count > 38 && hello[0] == 2 && hello.Count >= 41 + hello[38]) {
                int at = 39 + hello[38];
                Suite = hello[at] << 8 | hello[at + 1];
            }
        }
    }
}

// ---- the stages of one connection -------------------------------------------------------------------------------

internal static class Visit {
    // All stages after connect, over the connection that is there; it is closed in the end.
    public static async Task FollowAsync(Board board, Attempt attempt, Wire wire) {
        try {
            if (attempt.Due.Last() == "connect") {
                return;
            }
            if (attempt.Target.Tls) {
                await SecureAsync(board, attempt, wire);
            } else {
                await PlainAsync(board, attempt, wire);
            }
        } finally {
            wire.Dispose();
        }
    }

    private static async Task SecureAsync(Board board, Attempt attempt, Wire wire) {
        if (!attempt.Direct && !await TunnelAsync(board, attempt, wire)) {
            return;
        }
        bool answered = false;
        if (attempt.Due.Contains("hello")) {
            ServerFlight flight = new ServerFlight(board.Keep);
            string name = attempt.Target.Place.ServerName();
            Stage hello = await Stage.RunAsync(
                board.Wanted.HelloMs, "reset", flight.Silence, facts => flight.ReadAsync(board.Platform, name, wire, facts));
            board.Record(attempt, "hello", hello);
            answered = hello.Ok;
        }
        wire.Dispose();
        if (board.Frozen || !attempt.Due.Contains("handshake")) {
            return;
        }
        Handshake handshake = new Handshake(board, attempt, answered);
        Stage stage = await Stage.RunAsync(handshake.LimitMs, "reset", handshake.GiveUp, handshake.RunAsync);
        stage.Usable = handshake.Session != null && (stage.Ok || Handshake.IsCertificateError(stage.Fault.Code));
        board.Record(attempt, "handshake", stage);
        bool requested = false;
        if (stage.Usable && !board.Frozen && attempt.Due.Contains("request")) {
            requested = board.Record(attempt, "request", await Http.GetAsync(board, attempt, handshake.Session, handshake.Wire));
        }
        handshake.GiveUp();
        if (requested) {
            await WebSocketAsync(board, attempt, handshake.Protocols);
        }
    }

    private static async Task PlainAsync(Board board, Attempt attempt, Wire wire) {
        if (!attempt.Direct) {
            await Http.GetOverProxyAsync(board, attempt, wire);
        } else if (attempt.Due.Contains("request")) {
            board.Record(attempt, "request", await Http.GetAsync(board, attempt, wire, wire));
        }
        if (attempt.Passed("request")) {
            await WebSocketAsync(board, attempt, 0);
        }
    }

    private static async Task<bool> TunnelAsync(Board board, Attempt attempt, Wire wire) {
        Answer answer = new Answer(wire);
        Func<Fault> late = () => answer.Refusal ?? wire.GiveUp();
        Stage stage = await Stage.RunAsync(
            board.Wanted.ProxyMs, "closed", late, facts => Http.ConnectAsync(attempt, wire, answer, facts));
        return board.Record(attempt, "proxy", stage);
    }

    // A further connection to the same address, through a CONNECT of its own.
    public static async Task AgainAsync(Attempt attempt, Wire wire) {
        await wire.ConnectAsync(attempt.Address, attempt.Dial.Port);
        if (!attempt.Direct) {
            await Http.ConnectAsync(attempt, wire, new Answer(wire), new Facts());
        }
    }

    private static async Task WebSocketAsync(Board board, Attempt attempt, SslProtocols protocols) {
        if (!attempt.Due.Contains("websocket") || board.Frozen) {
            return;
        }
        using (Wire wire = new Wire(board)) {
            Stage stage = await Stage.RunAsync(board.Wanted.RequestMs, "closed", wire.GiveUp, async facts => {
                await OpenForWebSocketAsync(attempt, wire);
                Stream stream = wire;
                if (attempt.Target.Tls) {
                    SslStream session = new SslStream(wire, true, (sender, certificate, chain, errors) => true);
                    await Handshake.AuthenticateAsync(session, wire, attempt, protocols);
                    stream = session;
                }
                await Http.UpgradeAsync(attempt, stream, facts);
            });
            board.Record(attempt, "websocket", stage);
        }
    }

    private static async Task OpenForWebSocketAsync(Attempt attempt, Wire wire) {
        try {
            await AgainAsync(attempt, wire);
        } catch (Fault e) {
            // This stage has fewer codes than connect and proxy have; the words say what it was.
            throw new Fault(e.Code == "timeout" ? "timeout" : "closed", e.Code + ": " + e.Message);
        }
    }
}

// ---- bytes ------------------------------------------------------------------------------------------------------

// Reads numbers and parts out of bytes and never beyond them: too short is a malformed fault.
internal sealed class Reader {
    private readonly byte[] data;
    private readonly int end;
    private int at;

    public Reader(byte[] data) : this(data, 0, data.Length) { }

    private Reader(byte[] data, int at, int end) {
        this.data = data;
        this.at = at;
        this.end = end;
    }

    public int Left { get { return end - at; } }

    private int Skip(int length) {
        if (length < 0 || length > Left) {
            throw new Fault("malformed", "a length goes beyond the end of its message");
        }
        int from = at;
        at += length;
        return from;
    }

    public int Number(int width) {
        int number = 0;
        for (int from = Skip(width); from < at; from++) {
            number = number << 8 | data[from];
        }
        return number;
    }

    public Reader Part(int length) {
        int from = Skip(length);
        return new Reader(data, from, at);
    }

    // A part that begins with its own length, of so many bytes.
    public Reader Vector(int width) {
        return Part(Number(width));
    }

    public byte[] Bytes(int length) {
        int from = Skip(length);
        byte[] copy = new byte[length];
        Array.Copy(data, from, copy, 0, length);
        return copy;
    }

    public byte[] Rest() {
        return Bytes(Left);
    }

    public List<int> Numbers(int width) {
        List<int> numbers = new List<int>();
        while (Left > 0) {
            numbers.Add(Number(width));
        }
        return numbers;
    }

    // One DER element's content; `whole` is the element with its header.
    public Reader Element(out int tag, out byte[] whole) {
        int from = at;
        tag = Number(1);
        int length = Number(1);
        if (length > 127) {
            int width = length & 127;
            if (width == 0 || width > 3) {
                throw new Fault("malformed", "a DER length that no certificate has");
            }
            length = Number(width);
        }
        Reader content = Part(length);
        whole = new byte[at - from];
        Array.Copy(data, from, whole, 0, whole.Length);
        return content;
    }

    public Reader Element(int wanted) {
        int tag;
        byte[] whole;
        Reader content = Element(out tag, out whole);
        if (tag != wanted) {
            throw new Fault("malformed", "a DER element of another type than expected");
        }
        return content;
    }
}

internal sealed class Writer {
    private readonly List<byte> data = new List<byte>();

    public Writer Number(int number, int width) {
        for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
            data.Add((byte)(number >> shift));
        }
        return this;
    }

    public Writer Bytes(IEnumerable<byte> bytes) {
        data.AddRange(bytes);
        return this;
    }

    public Writer Vector(int width, IEnumerable<byte> bytes) {
        byte[] all = bytes.ToArray();
        return Number(all.Length, width).Bytes(all);
    }

    public byte[] ToArray() {
        return data.ToArray();
    }
}

// ---- hello ------------------------------------------------------------------------------------------------------

// The ClientHello that the platform's TLS client really sends, read from a loopback socket of our own.
internal sealed class PlatformHello {
    public const int VersionsType = 43;
    private const int ServerNameType = 0, GroupsType = 10, PointFormatsType = 11, SignatureAlgorithmsType = 13;
    private const int EncryptThenMac = 22, ExtendedMasterSecret = 23, SessionTicket = 35, RenegotiationInfo = 0xff01;
    public List<int> Versions, Suites, Groups = new List<int>(), SignatureAlgorithms = new List<int>(), Extensions = new List<int>();
    private byte[] pointFormats = { 1, 0 };

    // What Windows Server sends by default, for where the platform's own hello is not to be had.
    public static readonly PlatformHello Recorded = new PlatformHello {
        Versions = new List<int> { 0x0303 },
        Suites = new List<int> {
            0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027,
            0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f
        },
        Groups = new List<int> { 29, 23, 24 },
        SignatureAlgorithms = new List<int> {
            0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202, 0x0601, 0x0603
        },
        Extensions = new List<int> {
            ServerNameType, GroupsType, PointFormatsType, SignatureAlgorithmsType, SessionTicket, ExtendedMasterSecret, RenegotiationInfo
        }
    };

    public static async Task<KeyValuePair<Stage, PlatformHello>> LookAsync(Board board) {
        PlatformHello hello = null;
        TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
        Wire client = new Wire(board);
        int limit = Math.Min(board.Wanted.HelloMs, 3000);
        Stage stage = await Stage.RunAsync(
            limit, "closed", client.GiveUp, async facts => hello = await ReadAsync(listener, client, facts));
        client.Dispose();
        listener.Stop();
        return new KeyValuePair<Stage, PlatformHello>(stage, hello);
    }

    private static async Task<PlatformHello> ReadAsync(TcpListener listener, Wire client, Facts facts) {
        listener.Start(1);
        Task<Socket> accepting = listener.AcceptSocketAsync();
        await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
        using (Socket server = await accepting)
        using (NetworkStream stream = new NetworkStream(server)) {
            // The name is reserved, and nobody looks it up.
            SslStream tls = new SslStream(client, true, (sender, certificate, chain, errors) => false);
            Task asking = Task.Run(() => tls.AuthenticateAsClientAsync("platform-hello.invalid", null, 0, false));
            Tasks.Forget(asking);
            Writer message = new Writer();
            int bytes = 0;
            Reader hello = null;
            while (hello == null) {
                // Where the platform does not even begin, its own words are better than a timeout.
                Task<byte[]> reading = RecordAsync(stream);
                Tasks.Forget(reading);
                await Task.WhenAny(reading, asking);
                if (asking.IsFaulted && !reading.IsCompleted) {
                    throw new Fault("protocol", Fault.Words(asking.Exception.InnerExceptions[0]));
                }
                byte[] record = await reading;
                bytes += 5 + record.Length;
                hello = Whole(message.Bytes(record).ToArray());
            }
            PlatformHello parsed = Parse(hello);
            facts.Set("versions", Texts.List(parsed.Versions));
            facts.Set("suites", Texts.List(parsed.Suites));
            facts.Set("groups", Texts.List(parsed.Groups));
            facts.Set("signature_algorithms", Texts.List(parsed.SignatureAlgorithms));
            facts.Set("extensions", Texts.List(parsed.Extensions));
            facts.Set("bytes", bytes);
            return parsed;
        }
    }

    private static async Task<byte[]> RecordAsync(Stream stream) {
        byte[] header = await ExactlyAsync(stream, 5);
        if (header[0] != 22 || header[1] != 3) {
            throw new Fault("malformed", "the platform did not begin with a handshake record");
        }
        return await ExactlyAsync(stream, header[3] << 8 | header[4]);
    }

    private static async Task<byte[]> ExactlyAsync(Stream stream, int count) {
        byte[] buffer = new byte[count];
        for (int have = 0, got; have < count; have += got) {
            got = await stream.ReadAsync(buffer, have, count - have);
            if (got == 0) {
                throw new Fault("closed", "the platform closed before its hello was whole");
            }
        }
        return buffer;
    }

    // The ClientHello's body, or null while there is more to come.
    private static Reader Whole(byte[] message) {
        if (message.Length < 4 || message.Length < 4 + (message[1] << 16 | message[2] << 8 | message[3])) {
            return null;
        }
        Reader reader = new Reader(message);
        if (reader.Number(1) != 1) {
            throw new Fault("malformed", "the platform's first message is no ClientHello");
        }
        return reader.Vector(3);
    }

    private static PlatformHello Parse(Reader body) {
        PlatformHello hello = new PlatformHello();
        hello.Versions = new List<int> { body.Number(2) };
        body.Bytes(32);
        body.Vector(1);
        hello.Suites = Known(body.Vector(2));
        body.Vector(1);
        Reader extensions = body.Left > 0 ? body.Vector(2) : new Reader(new byte[0]);
        while (extensions.Left > 0) {
            int type = extensions.Number(2);
            Reader content = extensions.Vector(2);
            if (!IsGrease(type)) {
                hello.Extensions.Add(type);
                hello.Take(type, content);
            }
        }
        return hello;
    }

    private void Take(int type, Reader content) {
        switch (type) {
            case GroupsType: Groups = Known(content.Vector(2)); break;
            case SignatureAlgorithmsType: SignatureAlgorithms = Known(content.Vector(2)); break;
            case VersionsType: Versions = Known(content.Vector(1)); break;
            case PointFormatsType: pointFormats = content.Rest(); break;
        }
    }

    private static List<int> Known(Reader numbers) {
        return numbers.Numbers(2).Where(number => !IsGrease(number)).ToList();
    }

    private static bool IsGrease(int number) {
        return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
    }

    public bool HasTls12Suites { get { return Tls12Suites().Any(); } }

    private IEnumerable<int> Tls12Suites() {
        return Suites.Where(suite => suite >> 8 != 0x13);
    }

    // A TLS 1.2 hello that looks like the platform's own, as one record. This is the usual variant; others (SHA-512
    // first, padded) would change the signature algorithms or append an extension here.
    public byte[] Write(string serverName) {
        byte[] random = new byte[32];
        using (RandomNumberGenerator source = RandomNumberGenerator.Create()) {
            source.GetBytes(random);
        }
        Writer extensions = new Writer();
        foreach (int type in Extensions) {
            byte[] content = Content(type, serverName);
            if (content != null) {
                extensions.Number(type, 2).Vector(2, content);
            }
        }
        Writer body = new Writer().Number(0x0303, 2).Bytes(random).Vector(1, new byte[0]);
        body.Vector(2, Pairs(Tls12Suites())).Vector(1, new byte[1]).Vector(2, extensions.ToArray());
        byte[] message = new Writer().Number(1, 1).Vector(3, body.ToArray()).ToArray();
        return new Writer().Number(22, 1).Number(0x0301, 2).Vector(2, message).ToArray();
    }

    // Null for an extension that a TLS 1.2 hello does without.
    private byte[] Content(int type, string serverName) {
        switch (type) {
            case ServerNameType:
                if (serverName == null) {
                    return null;
                }
                byte[] name = new Writer().Number(0, 1).Vector(2, Encoding.ASCII.GetBytes(serverName)).ToArray();
                return new Writer().Vector(2, name).ToArray();
            case GroupsType: return new Writer().Vector(2, Pairs(Groups.Where(IsForTls12))).ToArray();
            case SignatureAlgorithmsType: return new Writer().Vector(2, Pairs(SignatureAlgorithms)).ToArray();
            case PointFormatsType: return pointFormats;
            case RenegotiationInfo: return new byte[1];
            case EncryptThenMac:
            case ExtendedMasterSecret:
            case SessionTicket: return new byte[0];
            default: return null;
        }
    }

    // Curves up to x448 and the finite fields of RFC 7919; the newer groups are for TLS 1.3 alone.
    private static bool IsForTls12(int group) {
        return group <= 30 || (group >= 0x100 && group <= 0x104);
    }

    private static IEnumerable<byte> Pairs(IEnumerable<int> numbers) {
        return numbers.SelectMany(number => new byte[] { (byte)(number >> 8), (byte)number });
    }
}

// Reads a server's answer to a TLS 1.2 hello in the clear, as far as ServerHelloDone. Everything is bounded.
internal sealed class ServerFlight {
    private const int MostBytes = 256 * 1024, MostRecord = 16384 + 2048, MostWarnings = 16;
    private static readonly int[] Turns = { 2, 11, 22, 12, 13, 14 };
    private readonly Func<IEnumerable<byte[]>, List<object>> keep;
    private readonly List<byte> raw = new List<byte>();
    private readonly List<byte> handshake = new List<byte>();
    private readonly List<object> warnings = new List<object>();
    private Facts facts;
    // Read by another thread when the time is up; assigned whole.
    private volatile byte[] first = new byte[0];
    private volatile int total;
    private int version, suite, last;
    private bool recordSeen, keyed, asked;

    // `keep` takes a chain and gives its fingerprints.
    public ServerFlight(Func<IEnumerable<byte[]>, List<object>> keep) {
        this.keep = keep;
    }

    public bool Done { get; private set; }

    public async Task ReadAsync(PlatformHello platform, string serverName, Wire wire, Facts seen) {
        bool own = platform != null && platform.HasTls12Suites;
        byte[] hello = (own ? platform : PlatformHello.Recorded).Write(serverName);
        Begin(seen);
        facts.Set("template", own ? "platform" : "recorded");
        await wire.WriteAsync(hello, 0, hello.Length);
        byte[] buffer = new byte[16384];
        while (!Done) {
            int got = await wire.ReadAsync(buffer, 0, buffer.Length);
            if (got == 0) {
                throw Closed();
            }
            Feed(buffer, got);
        }
    }

    public void Begin(Facts seen) {
        facts = seen;
        facts.Set("bytes", 0);
        facts.Set("warnings", new List<object>());
    }

    // The stage's time is up: nothing came, or something and then silence.
    public Fault Silence() {
        if (total == 0) {
            return new Fault("timeout", "no answer in time");
        }
        if (IsNotTls(first)) {
            return NotTls();
        }
        return new Fault("stalled", Texts.Say("{0} bytes came, then nothing more", total)) { Bytes = total };
    }

    public Fault Closed() {
        return total > 0 && IsNotTls(first) ? NotTls() : new Fault("closed", "the server closed the connection before its hello was done");
    }

    private static bool IsNotTls(byte[] bytes) {
        return bytes[0] < 20 || bytes[0] > 23 || (bytes.Length > 1 && bytes[1] != 3);
    }

    private Fault NotTls() {
        return new Fault("not_tls", "the answer is no TLS record") { FirstBytes = Texts.Hex(first, 64) };
    }

    public void Feed(byte[] bytes, int count) {
        total += count;
        facts.Set("bytes", total);
        raw.AddRange(bytes.Take(count));
        if (first.Length < 64) {
            first = first.Concat(bytes.Take(count)).Take(64).ToArray();
        }
        int at = 0;
        while (!Done && raw.Count - at >= 5) {
            int type = raw[at];
            int length = raw[at + 3] << 8 | raw[at + 4];
            if (type < 20 || type > 23 || raw[at + 1] != 3) {
                throw recordSeen ? new Fault("malformed", "no TLS record where one should begin") : NotTls();
            }
            recordSeen = true;
            if (length > MostRecord || length == 0) {
                throw new Fault("malformed", "a record of a length that is not allowed");
            }
            if (raw.Count - at < 5 + length) {
                break;
            }
            Record(type, raw.GetRange(at + 5, length).ToArray());
            at += 5 + length;
        }
        raw.RemoveRange(0, at);
        if (!Done && total > MostBytes) {
            throw new Fault("malformed", "more bytes than a server's hello may have");
        }
    }

    private void Record(int type, byte[] body) {
        switch (type) {
            case 21:
                Alert(body);
                break;
            case 22:
                handshake.AddRange(body);
                Messages();
                break;
            default:
                throw new Fault("malformed", "a record that has no place before the keys are agreed");
        }
    }

    private void Alert(byte[] body) {
        if (body.Length != 2 || body[0] < 1 || body[0] > 2 || warnings.Count == MostWarnings) {
            throw new Fault("malformed", "an alert that is none, or warnings without an end");
        }
        if (body[0] == 2) {
            throw Fault.Alert(body[0], body[1], Texts.Say("the server sent alert {0}", body[1]));
        }
        warnings.Add(new List<object> { (int)body[0], (int)body[1] });
        facts.Set("warnings", warnings.ToList());
    }

    private void Messages() {
        int at = 0;
        while (!Done && handshake.Count - at >= 4) {
            int length = handshake[at + 1] << 16 | handshake[at + 2] << 8 | handshake[at + 3];
            if (length > MostBytes) {
                throw new Fault("malformed", "a message longer than any server's hello");
            }
            if (handshake.Count - at < 4 + length) {
                break;
            }
            Message(handshake[at], new Reader(handshake.GetRange(at + 4, length).ToArray()));
            at += 4 + length;
        }
        handshake.RemoveRange(0, at);
    }

    private void Message(int type, Reader body) {
        if (type == 0) {
            return;
        }
        // Hello, certificate, its status, key exchange, request, done: each at most once, and the first two always.
        int turn = Array.IndexOf(Turns, type) + 1;
        if (turn <= last || (turn > 2 && last < 2) || (turn == 2 && last < 1)) {
            throw new Fault("malformed", Texts.Say("handshake message {0} out of order", type));
        }
        last = turn;
        switch (type) {
            case 2:
                ServerHello(body);
                return;
            case 11:
                Certificates(body);
                return;
            case 12:
                KeyExchange(body);
                return;
            case 13:
                CertificateRequest(body);
                return;
            case 14:
                HelloDone(body);
                return;
        }
    }

    private void ServerHello(Reader body) {
        version = body.Number(2);
        byte[] random = body.Bytes(32);
        body.Vector(1);
        suite = body.Number(2);
        if (version < 0x0300 || version > 0x0303 || body.Number(1) != 0 || SpeaksTls13(body)) {
            throw new Fault("malformed", "a version or a compression that was not offered");
        }
        facts.Set("version", new string[] { "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2" }[version - 0x0300]);
        facts.Set("cipher", suite);
        facts.Set("downgrade_sentinel", random.Skip(24).SequenceEqual(new byte[] { 0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 1 }));
    }

    private static bool SpeaksTls13(Reader body) {
        Reader extensions = body.Left > 0 ? body.Vector(2) : body;
        while (extensions.Left > 0) {
            int type = extensions.Number(2);
            extensions.Vector(2);
            if (type == PlatformHello.VersionsType) {
                return true;
            }
        }
        return false;
    }

    private void Certificates(Reader body) {
        Reader list = body.Vector(3);
        List<byte[]> chain = new List<byte[]>();
        while (list.Left > 0) {
            chain.Add(list.Vector(3).Rest());
        }
        if (chain.Count == 0) {
            throw new Fault("malformed", "a Certificate message without a certificate");
        }
        facts.Set("chain", keep(chain));
    }

    private void KeyExchange(Reader body) {
        keyed = true;
        Dictionary<string, object> exchange = new Dictionary<string, object>();
        string kind = Suites.KeyExchange(suite);
        exchange["kind"] = kind;
        exchange["group"] = null;
        if (kind == "ecdhe") {
            if (body.Number(1) != 3) {
                throw new Fault("malformed", "a key exchange over a curve without a name");
            }
            exchange["group"] = body.Number(2);
            body.Vector(1);
        } else if (kind == "dhe") {
            body.Vector(2);
            body.Vector(2);
            body.Vector(2);
        } else {
            throw new Fault("malformed", "a ServerKeyExchange that the cipher suite has no use for");
        }
        // Before TLS 1.2 the algorithm is not named.
        exchange["signature_algorithm"] = version >= 0x0303 ? (object)body.Number(2) : null;
        body.Vector(2);
        facts.Set("key_exchange", exchange);
    }

    private void CertificateRequest(Reader body) {
        asked = true;
        Dictionary<string, object> request = new Dictionary<string, object>();
        request["types"] = Texts.List(body.Vector(1).Numbers(1));
        request["signature_algorithms"] = version >= 0x0303 ? Texts.List(body.Vector(2).Numbers(2)) : new List<object>();
        Reader issuers = body.Vector(2);
        int count = 0;
        while (issuers.Left > 0) {
            issuers.Vector(2);
            count++;
        }
        request["issuers"] = count;
        facts.Set("certificate_request", request);
    }

    private void HelloDone(Reader body) {
        if (body.Left > 0) {
            throw new Fault("malformed", "a ServerHelloDone with a body");
        }
        if (!keyed && Suites.KeyExchange(suite) != "rsa") {
            throw new Fault("malformed", "no ServerKeyExchange though the cipher suite needs one");
        }
        if (!keyed) {
            facts.Set("key_exchange", new Dictionary<string, object> {
                { "kind", "rsa" }, { "group", null }, { "signature_algorithm", null }
            });
        }
        if (!asked) {
            facts.Set("certificate_request", null);
        }
        Done = true;
    }
}

// The registry's cipher suites that a Windows or OpenSSL client offers.
internal static class Suites {
    private static readonly Dictionary<int, string> Names = Parse(
        "0004 RSA_WITH_RC4_128_MD5,0005 RSA_WITH_RC4_128_SHA,000A RSA_WITH_3DES_EDE_CBC_SHA,0016 DHE_RSA_WITH_3DES_EDE_CBC_SHA," +
        "002F RSA_WITH_AES_128_CBC_SHA,0032 DHE_DSS_WITH_AES_128_CBC_SHA,0033 DHE_RSA_WITH_AES_128_CBC_SHA," +
        "0035 RSA_WITH_AES_256_CBC_SHA,0038 DHE_DSS_WITH_AES_256_CBC_SHA,0039 DHE_RSA_WITH_AES_256_CBC_SHA," +
        "003B RSA_WITH_NULL_SHA256,003C RSA_WITH_AES_128_CBC_SHA256,003D RSA_WITH_AES_256_CBC_SHA256," +
        "0040 DHE_DSS_WITH_AES_128_CBC_SHA256,0067 DHE_RSA_WITH_AES_128_CBC_SHA256,006A DHE_DSS_WITH_AES_256_CBC_SHA256," +
        "006B DHE_RSA_WITH_AES_256_CBC_SHA256,009C RSA_WITH_AES_128_GCM_SHA256,009D RSA_WITH_AES_256_GCM_SHA384," +
        "009E DHE_RSA_WITH_AES_128_GCM_SHA256,009F DHE_RSA_WITH_AES_256_GCM_SHA384,00A2 DHE_DSS_WITH_AES_128_GCM_SHA256," +
        "00A3 DHE_DSS_WITH_AES_256_GCM_SHA384,1301 AES_128_GCM_SHA256,1302 AES_256_GCM_SHA384,1303 CHACHA20_POLY1305_SHA256," +
        "C008 ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA,C009 ECDHE_ECDSA_WITH_AES_128_CBC_SHA,C00A ECDHE_ECDSA_WITH_AES_256_CBC_SHA," +
        "C012 ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,C013 ECDHE_RSA_WITH_AES_128_CBC_SHA,C014 ECDHE_RSA_WITH_AES_256_CBC_SHA," +
        "C023 ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,C024 ECDHE_ECDSA_WITH_AES_256_CBC_SHA384," +
        "C027 ECDHE_RSA_WITH_AES_128_CBC_SHA256,C028 ECDHE_RSA_WITH_AES_256_CBC_SHA384,C02B ECDHE_ECDSA_WITH_AES_128_GCM_SHA256," +
        "C02C ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,C02F ECDHE_RSA_WITH_AES_128_GCM_SHA256,C030 ECDHE_RSA_WITH_AES_256_GCM_SHA384," +
        "CCA8 ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,CCA9 ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256," +
        "CCAA DHE_RSA_WITH_CHACHA20_POLY1305_SHA256");

    private static Dictionary<int, string> Parse(string table) {
        return table.Split(',').ToDictionary(
            row => int.Parse(row.Substring(0, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture), row => "TLS_" + row.Substring(5));
    }

    public static string Name(int suite) {
        string name;
        return Names.TryGetValue(suite, out name) ? name : Texts.Say("0x{0:x4}", suite);
    }

    // ecdhe, dhe or rsa.
    public static string KeyExchange(int suite) {
        string[] words = Name(suite).Split('_');
        if (words.Length > 1 && (words[1] == "ECDHE" || words[1] == "DHE" || words[1] == "RSA")) {
            return words[1].ToLowerInvariant();
        }
        throw new Fault("malformed", Texts.Say("the key exchange of cipher suite 0x{0:x4} is not known", suite));
    }
}

// ---- the platform's handshake -----------------------------------------------------------------------------------

// By the platform's own defaults, and if that fails for another reason than a certificate, by TLS 1.2 alone.
internal sealed class Handshake {
    // Schannel's words for an alert that came encrypted, where the wire does not show it: illegal message, unknown
    // certificate, expired, algorithm mismatch, unsupported function, untrusted root, wrong principal.
    private static readonly uint[] AlertCodes = {
        0x80090326, 0x80090327, 0x80090328, 0x80090331, 0x80090302, 0x80090325, 0x80090322
    };
    private readonly Board board;
    private readonly Attempt attempt;
    private readonly bool helloAnswered;
    private readonly object gate = new object();
    private Wire wire;
    private bool givenUp;

    // `helloAnswered`: the hello by hand, which is TLS 1.2, got its answer.
    public Handshake(Board board, Attempt attempt, bool helloAnswered) {
        this.board = board;
        this.attempt = attempt;
        this.helloAnswered = helloAnswered;
    }

    public SslStream Session { get; private set; }
    public SslProtocols Protocols { get; private set; }
    public Wire Wire { get { lock (gate) { return wire; } } }

    // TLS 1.2 alone gets a time of its own after silence only where a TLS 1.2 hello was answered: else it would burn
    // the deadline for the same silence.
    public int LimitMs { get { return helloAnswered ? 2 * board.Wanted.HandshakeMs : board.Wanted.HandshakeMs; } }

    public static bool IsCertificateError(string code) {
        return code == "untrusted" || code == "name_mismatch" || code == "expired";
    }

    public Fault GiveUp() {
        lock (gate) {
            givenUp = true;
            if (wire != null) {
                wire.Dispose();
            }
        }
        return new Fault("timeout", "no answer in time");
    }

    public async Task RunAsync(Facts facts) {
        Fault first = await TryAsync(0, facts);
        if (first == null || IsCertificateError(first.Code)) {
            facts.Set("protocols", "default");
            Throw(first);
            return;
        }
        if (first.Code == "timeout" && !helloAnswered) {
            throw first;
        }
        facts.Set("default_error", first.Code);
        Fault second = await TryAsync(SslProtocols.Tls12, facts);
        if (second == null || IsCertificateError(second.Code)) {
            facts.Set("protocols", "tls12");
            Throw(second);
            return;
        }
        // Both failed: the platform's own way is what a connector would take.
        throw first;
    }

    private static void Throw(Fault fault) {
        if (fault != null) {
            throw fault;
        }
    }

    private Wire Renew() {
        lock (gate) {
            if (wire != null) {
                wire.Dispose();
            }
            wire = new Wire(board);
            if (givenUp) {
                wire.Dispose();
            }
            return wire;
        }
    }

    // Null when all was well.
    private async Task<Fault> TryAsync(SslProtocols protocols, Facts facts) {
        Wire fresh = Renew();
        Task<Fault> work = Task.Run(() => OneAsync(fresh, protocols, facts));
        if (await Tasks.EndsWithinAsync(work, board.Wanted.HandshakeMs)) {
            return await work;
        }
        fresh.Dispose();
        Tasks.Forget(work);
        return Tasks.Late(board.Wanted.HandshakeMs);
    }

    private async Task<Fault> OneAsync(Wire fresh, SslProtocols protocols, Facts facts) {
        try {
            await Visit.AgainAsync(attempt, fresh);
        } catch (Fault e) {
            // This stage has fewer codes than connect and proxy have; the words say what it was.
            string code = e.Code == "timeout" ? "timeout" : e.Code == "refused" || e.Code == "reset" ? "reset" : "closed";
            return new Fault(code, e.Code + ": " + e.Message);
        }
        CertificateWatch watch = new CertificateWatch(fresh);
        SslStream session = new SslStream(fresh, true, watch.Validate);
        try {
            await AuthenticateAsync(session, fresh, attempt, protocols);
        } catch (Exception e) {
            Fault fault = Read(e, fresh);
            if (fault == null) {
                throw;
            }
            return fault;
        }
        Tell(session, fresh, watch, facts);
        Protocols = protocols;
        Session = session;
        return watch.Fault;
    }

    // In a task of its own: the Framework does part of the work in the calling thread.
    public static Task AuthenticateAsync(SslStream session, Wire wire, Attempt attempt, SslProtocols protocols) {
        wire.Clear.Start();
        string name = attempt.Target.Place.Host.TrimEnd('.');
        return Task.Run(() => session.AuthenticateAsClientAsync(name, null, protocols, false));
    }

    private void Tell(SslStream session, Wire fresh, CertificateWatch watch, Facts facts) {
        facts.Set("version", Version((int)session.SslProtocol));
        if (fresh.Clear.Suite.HasValue) {
            facts.Set("cipher", Suites.Name(fresh.Clear.Suite.Value));
        }
        facts.Set("chain", board.Keep(watch.Chain));
        facts.Set("errors", Texts.List(watch.Errors));
        facts.Set("chain_status", Texts.List(watch.ChainStatus));
        facts.Set("callback_ms", watch.CallbackMs);
        facts.Set("chain_ms", watch.ChainMs);
    }

    // The bits of Schannel, which both platforms use; the Framework gives them raw where it has no name for them.
    private static string Version(int protocol) {
        if ((protocol & 0x3000) != 0) {
            return "TLSv1.3";
        }
        if ((protocol & 0xc00) != 0) {
            return "TLSv1.2";
        }
        return (protocol & 0x300) != 0 ? "TLSv1.1" : (protocol & 0xc0) != 0 ? "TLSv1.0" : Texts.Say("0x{0:x}", protocol);
    }

    // What a failed handshake means; null when the exception is a mistake of ours. The wire tells an alert better
    // than the platform does, whose words are never read.
    private static Fault Read(Exception e, Wire wire) {
        if (wire.Clear.Alert != null) {
            return wire.Clear.Alert;
        }
        SocketException socket = Fault.Find<SocketException>(e);
        if (socket != null || e is ObjectDisposedException) {
            return Fault.Of(e, "reset");
        }
        if (wire.Ended) {
            return new Fault("closed", Fault.Words(e));
        }
        Win32Exception native = Fault.Find<Win32Exception>(e);
        if (native != null && wire.Clear.Encrypted && AlertCodes.Contains(unchecked((uint)native.NativeErrorCode))) {
            return Fault.Alert(2, null, Fault.Words(e));
        }
        // An argument is refused where the Framework is too old for the system's default protocols.
        bool known = e is AuthenticationException || e is IOException || e is Win32Exception || e is CryptographicException
            || e is InvalidOperationException || e is NotSupportedException || e is ArgumentException;
        return known ? new Fault("protocol", Fault.Words(e)) : null;
    }
}

// Hears what the platform says of the server's certificate and lets the handshake go on, so that a GET can follow.
internal sealed class CertificateWatch {
    public readonly List<byte[]> Chain = new List<byte[]>();
    public readonly List<string> Errors = new List<string>();
    public readonly List<string> ChainStatus = new List<string>();
    public int CallbackMs, ChainMs;
    private readonly Wire wire;
    private readonly long began = Stopwatch.GetTimestamp();

    public CertificateWatch(Wire wire) {
        this.wire = wire;
    }

    public Fault Fault {
        get {
            string words = "the platform found: " + string.Join(", ", ChainStatus.Concat(Errors).Distinct());
            return Errors.Count == 0 ? null : new Fault(Errors[0], words);
        }
    }

    public bool Validate(object sender, X509Certificate certificate, X509Chain chain, SslPolicyErrors errors) {
        long now = Stopwatch.GetTimestamp();
        CallbackMs = Milliseconds(now - began);
        // The last bytes came, then the platform built the chain, then it called: the time between is the building.
        ChainMs = Milliseconds(now - wire.LastRead);
        X509ChainStatus[] said = chain == null ? new X509ChainStatus[0] : chain.ChainStatus;
        List<X509ChainStatusFlags> status = said.Select(one => one.Status).Where(one => one != X509ChainStatusFlags.NoError).ToList();
        ChainStatus.AddRange(status.Select(one => one.ToString()).Distinct());
        bool chainFailed = (errors & SslPolicyErrors.RemoteCertificateChainErrors) != 0;
        bool late = status.Contains(X509ChainStatusFlags.NotTimeValid);
        bool other = status.Any(one => one != X509ChainStatusFlags.NotTimeValid && one != X509ChainStatusFlags.NotTimeNested);
        if ((errors & SslPolicyErrors.RemoteCertificateNotAvailable) != 0 || (chainFailed && (other || !late))) {
            Errors.Add("untrusted");
        }
        if ((errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0) {
            Errors.Add("name_mismatch");
        }
        if (chainFailed && late) {
            Errors.Add("expired");
        }
        if (certificate != null) {
            Sent(certificate.GetRawCertData(), chain);
        }
        return true;
    }

    private static int Milliseconds(long ticks) {
        return (int)Math.Max(0, ticks * 1000 / Stopwatch.Frequency);
    }

    // What the server sent, the leaf first, each followed by its issuer; what is left over comes last.
    private void Sent(byte[] leaf, X509Chain chain) {
        Chain.Add(leaf);
        if (chain == null || chain.ChainElements.Count == 0) {
            return;
        }
        List<X509Certificate2> others = chain.ChainPolicy.ExtraStore.Cast<X509Certificate2>().ToList();
        others.RemoveAll(one => one.RawData.SequenceEqual(leaf));
        X509Certificate2 above = chain.ChainElements[0].Certificate;
        while (above != null && others.Count > 0) {
            X509Certificate2 below = above;
            above = others.FirstOrDefault(one => one.SubjectName.RawData.SequenceEqual(below.IssuerName.RawData));
            if (above != null) {
                others.Remove(above);
                Chain.Add(above.RawData);
            }
        }
        Chain.AddRange(others.Select(one => one.RawData));
    }
}

// ---- HTTP -------------------------------------------------------------------------------------------------------

internal static class Http {
    private static readonly HashSet<string> KeptHeaders = new HashSet<string>(
        ("server via location content-type content-length transfer-encoding date connection upgrade www-authenticate proxy-authenticate " +
        "proxy-agent x-cache x-squid-error x-ms-request-id retry-after age last-modified").Split(' '));

    // The request stage over a connection that is there. `wire` is what carries the stream.
    public static Task<Stage> GetAsync(Board board, Attempt attempt, Stream stream, Wire wire) {
        return Stage.RunAsync(board.Wanted.RequestMs, "closed", wire.GiveUp, async facts => {
            Answer answer = new Answer(stream);
            await SendAsync(stream, "GET", attempt.Target.Get, attempt.Target, "Accept: */*", "Connection: close");
            await answer.ReadHeadAsync();
            Tell(answer, facts);
            await answer.ReadBodyAsync(facts);
        });
    }

    // Without TLS a proxy gets the request itself: its head is the proxy stage, its body the request stage.
    public static async Task GetOverProxyAsync(Board board, Attempt attempt, Wire wire) {
        Answer answer = new Answer(wire);
        Stage proxy = await Stage.RunAsync(board.Wanted.ProxyMs, "closed", () => answer.Refusal ?? wire.GiveUp(), async facts => {
            facts.Set("plain", true);
            string url = "http://" + attempt.Endpoint.Header(80) + attempt.Target.Get;
            await SendAsync(wire, "GET", url, attempt.Target, "Accept: */*", "Connection: close");
            await answer.ReadHeadAsync();
            TellProxy(answer, facts);
            if (answer.Status == 407 || (answer.Status >= 502 && answer.Status <= 504)) {
                await RefuseAsync(answer, facts, answer.Status == 407 ? "auth_required" : "bad_gateway");
            }
        });
        if (!board.Record(attempt, "proxy", proxy) || !attempt.Due.Contains("request")) {
            return;
        }
        Stage request = await Stage.RunAsync(board.Wanted.RequestMs, "closed", wire.GiveUp, facts => {
            Tell(answer, facts);
            return answer.ReadBodyAsync(facts);
        });
        board.Record(attempt, "request", request);
    }

    // Throws where the proxy does not let the connection through. No credentials, ever.
    public static async Task ConnectAsync(Attempt attempt, Wire wire, Answer answer, Facts facts) {
        string authority = attempt.Endpoint.ToString();
        await SendLinesAsync(wire, "CONNECT " + authority + " HTTP/1.1", "Host: " + authority, "User-Agent: " + attempt.Target.UserAgent);
        await answer.ReadHeadAsync();
        TellProxy(answer, facts);
        if (answer.Status < 200 || answer.Status > 299) {
            bool gateway = answer.Status >= 500 && answer.Status <= 599;
            await RefuseAsync(answer, facts, answer.Status == 407 ? "auth_required" : gateway ? "bad_gateway" : "denied");
        }
        wire.PutBack(answer.Unread());
    }

    public static async Task UpgradeAsync(Attempt attempt, Stream stream, Facts facts) {
        byte[] key = new byte[16];
        using (RandomNumberGenerator source = RandomNumberGenerator.Create()) {
            source.GetBytes(key);
        }
        Answer answer = new Answer(stream);
        string[] more = {
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + Convert.ToBase64String(key), "Sec-WebSocket-Version: 13"
        };
        await SendAsync(stream, "GET", attempt.Target.WebSocket, attempt.Target, more);
        await answer.ReadHeadAsync();
        Tell(answer, facts);
        await answer.ReadBodyAsync(facts);
    }

    private static Task SendAsync(Stream stream, string method, string what, TargetSpec target, params string[] more) {
        string[] lines = { method + " " + what + " HTTP/1.1", "Host: " + target.HostHeader(), "User-Agent: " + target.UserAgent };
        return SendLinesAsync(stream, lines.Concat(more).ToArray());
    }

    private static Task SendLinesAsync(Stream stream, params string[] lines) {
        byte[] bytes = Encoding.ASCII.GetBytes(string.Join("\r\n", lines) + "\r\n\r\n");
        return stream.WriteAsync(bytes, 0, bytes.Length);
    }

    private static void Tell(Answer answer, Facts facts) {
        facts.Set("status", answer.Status);
        facts.Set("reason", answer.Reason);
        IEnumerable<string> kept = answer.Headers.Keys.Where(KeptHeaders.Contains);
        facts.Set("headers", kept.ToDictionary(name => name, name => (object)answer.Headers[name]));
    }

    private static void TellProxy(Answer answer, Facts facts) {
        Tell(answer, facts);
        List<object> values;
        facts.Set("challenges", answer.Headers.TryGetValue("proxy-authenticate", out values) ? Challenges(values) : new List<object>());
    }

    // A refusal's body is evidence only: it may be late or cut short, and the refusal stands.
    private static async Task RefuseAsync(Answer answer, Facts facts, string code) {
        answer.Refusal = new Fault(code, Texts.Say("the proxy answered {0} {1}", answer.Status, answer.Reason).TrimEnd());
        Task reading = answer.ReadBodyAsync(facts);
        Tasks.Forget(reading);
        await Tasks.EndsWithinAsync(reading, 1000);
        throw answer.Refusal;
    }

    // Scheme names of challenges; a header may hold several, with parameters that hold commas in quotes.
    public static List<object> Challenges(IEnumerable<object> values) {
        List<object> schemes = new List<object>();
        foreach (string value in values) {
            string[] unquoted = value.Split('"').Where((part, i) => i % 2 == 0).ToArray();
            foreach (string part in string.Join("", unquoted).Split(',')) {
                string[] words = part.Trim().Split(' ');
                if (words[0].Length > 0 && words[0].IndexOf('=') < 0 && !schemes.Contains(words[0])) {
                    schemes.Add(words[0]);
                }
            }
        }
        return schemes;
    }
}

// One HTTP answer, read with bounds.
internal sealed class Answer {
    private const int MostHead = 64 * 1024, MostBody = 512, MostHeader = 256;
    private readonly Stream stream;
    private readonly byte[] buffer = new byte[4096];
    private readonly List<byte> first = new List<byte>();
    private readonly List<byte> body = new List<byte>();
    private int at, end, headLength;

    public Answer(Stream stream) {
        this.stream = stream;
    }

    // Of a proxy's answer: why it does not let the connection through.
    public volatile Fault Refusal;
    public int Status { get; private set; }
    public string Reason { get; private set; }
    public readonly Dictionary<string, List<object>> Headers = new Dictionary<string, List<object>>();

    public byte[] Unread() {
        return buffer.Skip(at).Take(end - at).ToArray();
    }

    public async Task ReadHeadAsync() {
        do {
            Headers.Clear();
            ReadStatus(await LineAsync());
            for (string line = await LineAsync(); line.Length > 0; line = await LineAsync()) {
                ReadHeader(line);
            }
        } while (Status >= 100 && Status < 200 && Status != 101);
    }

    private void ReadStatus(string line) {
        string[] words = line.Split(new char[] { ' ' }, 3);
        int status;
        string number = words.Length > 1 && words[1].Length == 3 ? words[1] : "";
        bool isNumber = int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out status);
        if (!line.StartsWith("HTTP/1.", StringComparison.Ordinal) || !isNumber) {
            throw Malformed("the answer does not begin with an HTTP status line");
        }
        Status = status;
        Reason = words.Length > 2 ? Texts.Cut(words[2].Trim(), MostHeader) : "";
    }

    private void ReadHeader(string line) {
        int colon = line.IndexOf(':');
        if (colon < 1) {
            throw Malformed("a header line without a name");
        }
        string name = line.Substring(0, colon).Trim().ToLowerInvariant();
        List<object> values;
        if (!Headers.TryGetValue(name, out values)) {
            values = new List<object>();
            Headers[name] = values;
        }
        values.Add(Texts.Cut(line.Substring(colon + 1).Trim(), MostHeader));
    }

    private static Fault Short() {
        return new Fault("closed", "the far end closed the connection before its answer was whole");
    }

    private Fault Malformed(string message) {
        return new Fault("malformed", message) { FirstBytes = Texts.Hex(first.ToArray(), 64) };
    }

    // False at the end of the stream.
    private async Task<bool> FillAsync() {
        at = 0;
        end = 0;
        end = await stream.ReadAsync(buffer, 0, buffer.Length);
        first.AddRange(buffer.Take(Math.Min(end, 64 - first.Count)));
        return end > 0;
    }

    private async Task<string> LineAsync() {
        StringBuilder line = new StringBuilder();
        while (true) {
            if (at == end && !await FillAsync()) {
                throw LooksLikeHttp() ? Short() : Malformed("the answer is no HTTP");
            }
            if (!LooksLikeHttp()) {
                throw Malformed("the answer is no HTTP");
            }
            if (++headLength > MostHead) {
                throw Malformed("a head of more than 64 KiB");
            }
            char one = (char)buffer[at++];
            if (one == '\n') {
                return line.ToString().TrimEnd('\r');
            }
            line.Append(one);
        }
    }

    private bool LooksLikeHttp() {
        return first.Zip("HTTP/", (have, want) => have == want).All(same => same);
    }

    // As much of the body as is kept; its facts are there also when it breaks off.
    public async Task ReadBodyAsync(Facts facts) {
        TellBody(facts);
        if (Status == 101 || Status == 204 || Status == 304) {
            return;
        }
        if (Header("transfer-encoding").EndsWith("chunked", StringComparison.OrdinalIgnoreCase)) {
            await ReadChunksAsync(facts);
            return;
        }
        long length;
        string said = Header("content-length");
        if (said.Length == 0) {
            await TakeAsync(long.MaxValue, false, facts);
        } else if (long.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out length)) {
            await TakeAsync(length, true, facts);
        } else {
            throw Malformed("a content-length that is no number");
        }
    }

    private string Header(string name) {
        List<object> values;
        return Headers.TryGetValue(name, out values) ? (string)values[0] : "";
    }

    private async Task ReadChunksAsync(Facts facts) {
        headLength = 0;
        while (body.Count < MostBody) {
            long size;
            string line = (await LineAsync()).Split(';')[0].Trim();
            if (!long.TryParse(line, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out size) || size < 0) {
                throw Malformed("a chunk without a size");
            }
            if (size == 0) {
                return;
            }
            await TakeAsync(size, true, facts);
            if (body.Count < MostBody && (await LineAsync()).Length > 0) {
                throw Malformed("a chunk that is longer than its size");
            }
        }
    }

    // Takes so many bytes, or as many as are kept. `whole`: an end before that is an error.
    private async Task TakeAsync(long count, bool whole, Facts facts) {
        long left = count;
        while (left > 0 && body.Count < MostBody) {
            if (at == end && !await FillAsync()) {
                if (whole) {
                    throw Short();
                }
                return;
            }
            int take = (int)Math.Min(Math.Min(left, end - at), MostBody - body.Count);
            body.AddRange(buffer.Skip(at).Take(take));
            at += take;
            left -= take;
            TellBody(facts);
        }
    }

    private void TellBody(Facts facts) {
        facts.Set("body", Convert.ToBase64String(body.ToArray()));
        facts.Set("body_bytes", body.Count);
    }
}

// ---- revocation -------------------------------------------------------------------------------------------------

// An http URL that a certificate names, and what to ask for there: for OCSP the URL with a request in it.
internal sealed class RevocationUrl {
    public string Url;
    public Place Place;
    public string Get;
    // As a certificate names it, without a request in it: what counts as the same URL.
    public string Named;

    // Null when it is not an http URL that can be asked for.
    public static RevocationUrl Parse(string url) {
        if (!url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || !Texts.IsPlain(url)) {
            return null;
        }
        string rest = url.Substring(7).Split('#')[0];
        int cut = rest.IndexOfAny(new char[] { '/', '?' });
        string authority = cut < 0 ? rest : rest.Substring(0, cut);
        string get = cut < 0 ? "/" : rest.Substring(cut);
        int afterAddress = authority.LastIndexOf(']') + 1;
        bool hasPort = authority.IndexOf(':', afterAddress) >= 0;
        Place place = Place.Parse(hasPort ? authority : authority + ":80");
        get = get[0] == '?' ? "/" + get : get;
        if (place == null) {
            return null;
        }
        return new RevocationUrl { Url = url, Place = place, Get = get, Named = place.ToString().ToLowerInvariant() + get };
    }

    public TargetSpec AsTarget(Request wanted) {
        return new TargetSpec { Id = Place.ToString(), Place = Place, Get = Get, UserAgent = wanted.RevocationUserAgent };
    }
}

internal static class Revocation {
    private static readonly byte[] CrlPoints = { 0x55, 0x1d, 0x1f };
    private static readonly byte[] AuthorityInfo = { 0x2b, 6, 1, 5, 5, 7, 1, 1 };
    private static readonly byte[] CaIssuers = { 0x2b, 6, 1, 5, 5, 7, 0x30, 2 };
    private static readonly byte[] Ocsp = { 0x2b, 6, 1, 5, 5, 7, 0x30, 1 };
    private static readonly byte[] Sha1Algorithm = { 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0 };

    // In the order of sight; of one certificate: revocation lists, issuers, OCSP.
    public static List<RevocationUrl> Urls(IEnumerable<byte[]> certificates) {
        List<Certificate> all = certificates.Select(TryParse).Where(one => one != null).ToList();
        List<RevocationUrl> urls = new List<RevocationUrl>();
        foreach (Certificate one in all) {
            urls.AddRange(one.CrlUrls.Concat(one.IssuerUrls).Select(RevocationUrl.Parse));
            Certificate issuer = all.FirstOrDefault(other => other.Subject.SequenceEqual(one.Issuer));
            urls.AddRange(one.OcspUrls.Select(url => OcspUrl(url, one, issuer)));
        }
        return urls.Where(url => url != null).ToList();
    }

    // A certificate that does not parse names no URLs; the judge sees its bytes all the same.
    private static Certificate TryParse(byte[] der) {
        try {
            return new Certificate(der);
        } catch (Fault) {
            return null;
        }
    }

    // A real request (RFC 6960, appendix A.1); the plain URL where the issuer was not seen.
    private static RevocationUrl OcspUrl(string url, Certificate one, Certificate issuer) {
        RevocationUrl plain = RevocationUrl.Parse(url);
        if (plain != null && issuer != null) {
            byte[] id = Der(0x30, Sha1Algorithm, Der(4, Sha1(one.Issuer)), Der(4, Sha1(issuer.KeyBits)), Der(2, one.Serial));
            byte[] request = Der(0x30, Der(0x30, Der(0x30, Der(0x30, id))));
            plain.Get = plain.Get.TrimEnd('/') + "/" + Uri.EscapeDataString(Convert.ToBase64String(request));
        }
        return plain;
    }

    private static byte[] Sha1(byte[] bytes) {
        using (SHA1 hash = SHA1.Create()) {
            return hash.ComputeHash(bytes);
        }
    }

    private static byte[] Der(int tag, params byte[][] parts) {
        byte[] content = parts.SelectMany(part => part).ToArray();
        Writer element = new Writer().Number(tag, 1);
        return (content.Length < 128 ? element : element.Number(0x82, 1)).Vector(content.Length < 128 ? 1 : 2, content).ToArray();
    }

    // The few fields of a certificate that revocation needs. Throws a malformed fault.
    private sealed class Certificate {
        public readonly byte[] Serial, Issuer, Subject, KeyBits;
        public readonly List<string> CrlUrls = new List<string>(), IssuerUrls = new List<string>(), OcspUrls = new List<string>();

        public Certificate(byte[] der) {
            Reader fields = new Reader(der).Element(0x30).Element(0x30);
            int tag;
            byte[] whole;
            Reader first = fields.Element(out tag, out whole);
            Serial = (tag == 0xa0 ? fields.Element(2) : first).Rest();
            fields.Element(0x30);
            fields.Element(out tag, out Issuer);
            fields.Element(0x30);
            fields.Element(out tag, out Subject);
            Reader key = fields.Element(0x30);
            key.Element(0x30);
            KeyBits = key.Element(3).Rest().Skip(1).ToArray();
            while (fields.Left > 0) {
                Reader field = fields.Element(out tag, out whole);
                if (tag == 0xa3) {
                    ReadExtensions(field.Element(0x30));
                }
            }
        }

        private void ReadExtensions(Reader extensions) {
            while (extensions.Left > 0) {
                Reader extension = extensions.Element(0x30);
                byte[] id = extension.Element(6).Rest();
                int tag;
                byte[] whole;
                Reader value = extension.Element(out tag, out whole);
                if (tag == 1) {
                    value = extension.Element(4);
                }
                if (id.SequenceEqual(CrlPoints)) {
                    ReadCrlPoints(value.Element(0x30));
                } else if (id.SequenceEqual(AuthorityInfo)) {
                    ReadAuthorityInfo(value.Element(0x30));
                }
            }
        }

        private void ReadCrlPoints(Reader points) {
            while (points.Left > 0) {
                Reader point = points.Element(0x30);
                while (point.Left > 0) {
                    int tag;
                    byte[] whole;
                    Reader part = point.Element(out tag, out whole);
                    if (tag == 0xa0 && part.Left > 0) {
                        Reader names = part.Element(out tag, out whole);
                        while (tag == 0xa0 && names.Left > 0) {
                            AddUrl(CrlUrls, names);
                        }
                    }
                }
            }
        }

        private void ReadAuthorityInfo(Reader entries) {
            while (entries.Left > 0) {
                Reader entry = entries.Element(0x30);
                byte[] method = entry.Element(6).Rest();
                AddUrl(method.SequenceEqual(CaIssuers) ? IssuerUrls : method.SequenceEqual(Ocsp) ? OcspUrls : new List<string>(), entry);
            }
        }

        private static void AddUrl(List<string> urls, Reader names) {
            int tag;
            byte[] whole;
            Reader name = names.Element(out tag, out whole);
            if (tag == 0x86) {
                urls.Add(Encoding.ASCII.GetString(name.Rest()));
            }
        }
    }
}
}
