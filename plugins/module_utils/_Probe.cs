// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The network engine of connector_info: takes a request (request.schema.json) and
// gives an observation (observation.schema.json) without what PowerShell adds; docs/observation.md has the words.
// It must compile as C# 5 against .NET Framework 4.5, warnings as errors, and run on PowerShell 7 too.
//
// Here: the entry, and the order of looking. Each util uses only those before it: _ProbeStage, _ProbeRequest, _ProbeWire,
// _ProbeHello, _ProbeHttp, _ProbeTls, _ProbeRevocation, _ProbePlan.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Authentication;
using System.Threading;
using System.Threading.Tasks;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeHello;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeHttp;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbePlan;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeTls;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;

namespace ansible_collections.appproxy.connector.plugins.module_utils._Probe
{
    public static class Probe
    {
        // Milliseconds. A bad request is an ArgumentException that names the key.
        public static int Deadline(IDictionary request)
        {
            return Request.Deadline(request);
        }

        // Looks in the background, so that PowerShell can read the server's facts meanwhile; End waits for it. The deadline
        // counts from where `clock` began: what PowerShell did before is part of it. A bad request is an ArgumentException
        // that names the key.
        public static Look Begin(IDictionary request, Stopwatch clock)
        {
            return new Look(new Request(request), clock);
        }

        // Returns at most half a second after the request's deadline. Any exception is a fault of the engine: it is thrown
        // on, and fails the module.
        public static Dictionary<string, object> End(Look look)
        {
            return look.End();
        }
    }

    public sealed class Look
    {
        // Of what is lost again at once, tried alone.
        private const int MostLostAgain = 3;
        private readonly Stopwatch clock;
        private readonly Request wanted;
        private readonly Board board;
        private readonly Task work;

        internal Look(Request wanted, Stopwatch clock)
        {
            this.wanted = wanted;
            this.clock = clock;
            board = new Board(wanted);
            work = Threads.Start(() => board.Guard(LookAtAll));
        }

        internal Dictionary<string, object> End()
        {
            work.Wait((int)Math.Max(0, wanted.DeadlineMs - clock.ElapsedMilliseconds));
            Dictionary<string, object> seen = board.Freeze();
            if (board.Failure != null)
                throw new InvalidOperationException("the network engine failed: " + board.Failure, board.Failure);
            seen["schema"] = 1;
            seen["elapsed_ms"] = (int)clock.ElapsedMilliseconds;
            seen["deadline_ms"] = wanted.DeadlineMs;
            return seen;
        }

        private void LookAtAll()
        {
            Stage stage;
            PlatformHello hello = PlatformHello.Look(board.Sockets, Math.Min(board.Wanted.Ms["hello"], 3000), out stage);
            board.SetPlatform(hello, stage);
            // The last is for what the rechecks have found. They come late, since they may take all the time that is left.
            Action<PathRun>[] phases = { run => Wave(run.First), SecondWave, Recheck, SecondWave };
            if (wanted.RevocationPaths == null)
            {
                EachRun(run => Array.ForEach(phases, phase => phase(run)));
                return;
            }
            // One path asks for what the chains of all paths name.
            Array.ForEach(phases, EachRun);
        }

        private void EachRun(Action<PathRun> look)
        {
            Threads.Each(board.Runs, board.Runs.Count, run => board.Guard(() => look(run)));
        }

        private void SecondWave(PathRun run)
        {
            List<Attempt> planned = null;
            if (board.Change(() => planned = board.PlanSecond(run)))
                Wave(planned);
        }

        private void Wave(List<Attempt> attempts)
        {
            Each(attempts, visit => visit.FromTheStart());
            board.Change(() => attempts.ForEach(first => first.AddFurther()));
            Each(attempts.SelectMany(first => first.Further), visit => visit.FromConnect());
            // Where no address has connected before, the first that does carries the other stages.
            List<Attempt> carriers = attempts.Where(first => !first.Passed("connect"))
                .Select(first => first.Further.FirstOrDefault(further => further.Passed("connect"))).Where(one => one != null).ToList();
            board.Change(() => carriers.ForEach(carrier => carrier.AskFor(name => name != "resolve")));
            Each(carriers, visit => visit.FromConnect());
        }

        private void Each(IEnumerable<Attempt> attempts, Action<Visit> look)
        {
            Threads.Each(attempts, board.Wanted.Parallel, attempt => board.Guard(() =>
            {
                if (board.Frozen)
                    return;
                Thread.Sleep(board.Jitter());
                look(new Visit(board, attempt));
            }));
        }

        // What was lost among all the others, once more and alone, in order. One that stands takes the place of its first try. It ends
        // where nobody answers again, or some were lost again at once: then it is the path that loses them, and the time is for
        // something else.
        private void Recheck(PathRun run)
        {
            int atOnce = 0;
            foreach (List<Attempt> attempts in new List<Attempt>[] { run.First, run.Second })
            {
                for (int place = 0; place < attempts.Count; place++)
                {
                    int here = place;
                    string stage = attempts[here].Lost();
                    if (stage == null)
                        continue;
                    Attempt again = attempts[here].Again();
                    if (!board.Change(() => run.Rechecks.Add(new KeyValuePair<string, Attempt>(stage, again))))
                        return;
                    TryAgain(again);
                    if (again.StandsAfter(attempts[here]))
                    {
                        if (!board.Change(() => attempts[here] = again))
                            return;
                        continue;
                    }
                    atOnce++;
                    if (atOnce == MostLostAgain || again.GaveUp())
                        return;
                }
            }
        }

        // From the start, or from the connection where the name was known.
        private void TryAgain(Attempt again)
        {
            if (again.Ended.ContainsKey("resolve"))
            {
                new Visit(board, again).FromConnect();
                return;
            }
            board.Names.Forget();
            Wave(new List<Attempt> { again });
        }
    }

    // Takes one attempt through its stages.
    internal sealed class Visit
    {
        private static readonly string[] Cut = { "reset", "closed", "timeout", "stalled" };
        private readonly Board board;
        private readonly Attempt attempt;
        private readonly TargetSpec target;

        public Visit(Board board, Attempt attempt)
        {
            this.board = board;
            this.attempt = attempt;
            target = attempt.Target;
        }

        // False also where nobody asks for the stage.
        private bool Run(string name, string resetCode, Func<Fault> late, Action<Facts> work)
        {
            return attempt.Asks(name) && board.Record(attempt, name, Stage.Run(board.Wanted.Ms[name], resetCode, late, work));
        }

        public void FromTheStart()
        {
            if (!attempt.Direct)
                attempt.OwnName = board.Names.Find(attempt.Endpoint);
            IPAddress[] found = null;
            bool resolved = Run("resolve", "server_failure", Stage.Late, facts =>
            {
                facts.Set("name", attempt.Dial.Host);
                if (attempt.Dial.Literal() != null)
                    facts.Set("literal", true);
                found = board.Names.Find(attempt.Dial).Result;
                facts.Set("addresses", Texts.List(found.Select(address => address.ToString())));
            });
            if (resolved && board.Change(() => attempt.Addresses = found) && board.Change(() => attempt.Address = found[0]))
                FromConnect();
        }

        public void FromConnect()
        {
            using (Wire wire = new Wire(board.Sockets))
            {
                bool connected = Run("connect", "reset", wire.GiveUp, facts =>
                {
                    wire.Connect(attempt.Address, attempt.Dial.Port);
                    facts.Set("local", wire.Local);
                });
                if (connected && target.Tls)
                    Secure(wire);
                else if (connected)
                    Plain(wire);
            }
        }

        private bool Proxy(Wire wire, Action<Facts> work)
        {
            return Run("proxy", "closed", () => wire.Refusal ?? wire.GiveUp(), work);
        }

        private void Plain(Wire wire)
        {
            Answer answer = null;
            if (!attempt.Direct && !Proxy(wire, facts => answer = Http.GetOverProxy(attempt.Endpoint, target, wire, facts)))
                return;
            bool asked = Run("request", "closed", wire.GiveUp, facts => (answer ?? Http.Get(target, wire.Stream)).Tell(facts));
            wire.Dispose();
            if (asked)
                WebSocket(0);
        }

        private void Secure(Wire wire)
        {
            if (!attempt.Direct && !Proxy(wire, facts => Http.Connect(attempt.Endpoint, target, wire, facts)))
                return;
            ServerFlight flight = new ServerFlight(board.Keep);
            bool answered = Run("hello", "reset", flight.Silence, facts =>
            {
                string template;
                byte[] hello = Hello("", out template);
                facts.Set("template", template);
                flight.Read(hello, wire.Stream, facts);
            });
            wire.Dispose();
            if (attempt.Asks("handshake"))
                Trust(answered);
            // After all else, so that they cost nothing else its time. Each only where the one before it was answered.
            foreach (KeyValuePair<string, object> further in Stage.Further)
            {
                if (answered && attempt.Asks(further.Key))
                    answered = board.Record(attempt, further.Key, InTurn((string)further.Value));
            }
        }

        private byte[] Hello(string variant, out string template)
        {
            return PlatformHello.Write(board.Platform, target.Place.Literal() == null ? target.TlsName : null, variant, out template);
        }

        // What is cut is tried again, the usual hello before it: a box that cuts by the hello does so each time.
        private Stage InTurn(string variant)
        {
            Stage stage = Once(variant);
            if (stage.Ok || !Cut.Contains(stage.Fault.Code))
                return stage;
            List<Stage> again = new List<Stage> { Once(""), Once(variant) };
            stage.Facts["repeats"] = Texts.List(again.Select(one => one.Ok ? "ok" : one.Fault.Code));
            return new Stage(stage.Fault, stage.Ms + again.Sum(one => one.Ms), stage.Facts);
        }

        // One hello over a connection of its own. Without the connection nothing was learned of the hello: that has a code of its own.
        private Stage Once(string variant)
        {
            using (Wire wire = new Wire(board.Sockets))
            {
                ServerFlight flight = new ServerFlight(board.Keep);
                Func<Fault> late = () => { wire.Dispose(); return flight.Silence(); };
                bool connected = false;
                Stage seen = Stage.Run(board.Wanted.Ms["hello"], "reset", late, facts =>
                {
                    string template;
                    Reopen(wire, "closed");
                    connected = true;
                    flight.Read(Hello(variant, out template), wire.Stream, facts);
                });
                // The rest is as in the answer to the usual hello.
                Dictionary<string, object> told = new Dictionary<string, object> { { "bytes", 0 } };
                object value;
                foreach (string key in new string[] { "bytes", "version" })
                {
                    if (seen.Facts.TryGetValue(key, out value))
                        told[key] = value;
                }
                if (seen.Facts.TryGetValue("key_exchange", out value))
                    told["signature_algorithm"] = ((Dictionary<string, object>)value)["signature_algorithm"];
                Fault fault = seen.Ok || connected ? seen.Fault : new Fault(Stage.NotConnected, seen.Fault.Message);
                return new Stage(fault, seen.Ms, told);
            }
        }

        // By the platform's own defaults, and if that fails for another reason than a certificate, by TLS 1.2 alone; after
        // silence only where the hello by hand, which is TLS 1.2, was answered: else it would burn the deadline for the same.
        private void Trust(bool answered)
        {
            using (Wire first = new Wire(board.Sockets), second = new Wire(board.Sockets))
            {
                Handshake handshake;
                Stage stage = Shake(first, 0, out handshake);
                bool again = !stage.Usable && (answered || stage.Fault.Code != "timeout");
                SslProtocols protocols = again ? SslProtocols.Tls12 : 0;
                if (again)
                {
                    first.Dispose();
                    Stage other = Shake(second, protocols, out handshake);
                    other.Facts["default_error"] = stage.Fault.Code;
                    // Where both failed: the platform's own way is what a connector would take.
                    stage = new Stage(other.Usable ? other.Fault : stage.Fault, stage.Ms + other.Ms, other.Facts);
                }
                if (stage.Usable)
                    stage.Facts["protocols"] = again ? "tls12" : "default";
                board.Record(attempt, "handshake", stage);
                Func<Fault> late = again ? (Func<Fault>)second.GiveUp : first.GiveUp;
                bool asked = stage.Usable && Run("request", "closed", late, facts => Http.Get(target, handshake.Session).Tell(facts));
                // An attempt has one connection at a time.
                first.Dispose();
                second.Dispose();
                if (asked)
                    WebSocket(protocols);
            }
        }

        private Stage Shake(Wire wire, SslProtocols protocols, out Handshake made)
        {
            Handshake handshake = null;
            Stage stage = Stage.Run(board.Wanted.Ms["handshake"], "reset", wire.GiveUp, facts =>
            {
                Reopen(wire, "reset");
                handshake = new Handshake(wire.Stream);
                handshake.Run(target.TlsName, protocols, board.Keep, facts);
            });
            made = handshake;
            return stage;
        }

        private void WebSocket(SslProtocols protocols)
        {
            using (Wire wire = new Wire(board.Sockets))
            {
                Run("websocket", "closed", wire.GiveUp, facts =>
                {
                    Reopen(wire, "closed");
                    Stream stream = wire.Stream;
                    if (target.Tls)
                    {
                        Handshake handshake = new Handshake(wire.Stream);
                        handshake.Authenticate(target.TlsName, protocols);
                        stream = handshake.Session;
                    }
                    Http.Upgrade(target, stream).Tell(facts);
                });
            }
        }

        // A further connection to the same address, through a CONNECT of its own. Its stage has fewer codes than connect
        // and proxy have; the words say what it was.
        private void Reopen(Wire wire, string resetCode)
        {
            try
            {
                wire.Connect(attempt.Address, attempt.Dial.Port);
                if (!attempt.Direct)
                    Http.Connect(attempt.Endpoint, target, wire, new Facts());
            }
            catch (Fault e)
            {
                string code = e.Code == "timeout" ? "timeout" : e.Code == "refused" || e.Code == "reset" ? resetCode : "closed";
                throw new Fault(code, e.Code + ": " + e.Message);
            }
        }
    }
}
