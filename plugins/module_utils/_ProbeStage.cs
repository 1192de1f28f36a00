// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. Stages with their timeouts, typed errors, threads, texts.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading;
using System.Threading.Tasks;
using Table = System.Collections.Generic.Dictionary<string, object>;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage
{
    // A typed error of the observation. The message is the platform's own words; More is what the schema's error has besides.
    internal sealed class Fault : Exception
    {
        public readonly string Code;
        public readonly Table More = new Table();

        public Fault(string code, string message) : base(message)
        {
            Code = code;
        }

        public static Fault Malformed(string message)
        {
            return new Fault("malformed", message);
        }

        // Without a description where the platform does not tell it.
        public static Fault Alert(int? description, string message)
        {
            return new Fault("alert", message) { More = { { "level", 2 }, { "description", description } } };
        }

        // An exception of this type, itself or what it was caused by; null if there is none.
        public static T Find<T>(Exception e) where T : Exception
        {
            return e == null || e is T ? (T)e : Find<T>(e.InnerException);
        }

        // What a broken connection means; null when the exception is no word of the network but a mistake of ours.
        public static Fault Of(Exception e, string resetCode)
        {
            Fault fault = Find<Fault>(e);
            if (fault != null)
                return fault;
            SocketException socket = Find<SocketException>(e);
            if (socket == null)
            {
                bool broken = e is IOException || e is ObjectDisposedException || e is AuthenticationException || e is Win32Exception;
                return broken ? new Fault("closed", Words(e)) : null;
            }
            switch (socket.SocketErrorCode)
            {
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

        public static string Words(Exception e)
        {
            Exception inner = e.GetBaseException();
            string text = ReferenceEquals(inner, e) ? e.Message : e.Message + " " + inner.Message;
            Win32Exception native = inner as Win32Exception;
            return native == null ? text : text + " (0x" + Texts.Hex(native.NativeErrorCode, 8) + ")";
        }

        public Table AsTable()
        {
            Table table = new Table(More);
            table["code"] = Code;
            table["message"] = Texts.Cut(Message, 500);
            return table;
        }
    }

    // What a stage saw, also before an error. Closed at the stage's end, since what was abandoned goes on running.
    internal sealed class Facts
    {
        private readonly Table seen = new Table();
        private bool closed;

        public void Set(string key, object value)
        {
            lock (seen)
            {
                if (!closed)
                    seen[key] = value;
            }
        }

        public Table Close()
        {
            lock (seen)
            {
                closed = true;
                return seen;
            }
        }
    }

    internal sealed class Stage
    {
        // In the order in which they are told. The further hellos, called by what a target calls them, are made last.
        public static readonly Table Further = new Table { { "hello_sha512", "sha512" }, { "hello_padded", "padded" } };
        public static readonly string[] Order =
        {
            "resolve", "connect", "proxy", "hello", "hello_sha512", "hello_padded", "handshake", "request", "websocket"
        };
        // The code of a further hello whose own connection was not made.
        public const string NotConnected = "not_connected";
        // Null when all was well.
        public readonly Fault Fault;
        public readonly int Ms;
        public readonly Table Facts;

        public Stage(Fault fault, int ms, Table facts)
        {
            Fault = fault;
            Ms = ms;
            Facts = facts;
        }

        public bool Ok { get { return Fault == null; } }

        // By hand: a failure bars nothing later.
        public static bool IsHello(string name)
        {
            return name == "hello" || Further.ContainsKey(name);
        }

        // All was well, or a handshake that had certificate errors only: the connection can be used.
        public bool Usable { get { return Ok || Fault.Code == "untrusted" || Fault.Code == "name_mismatch" || Fault.Code == "expired"; } }

        // Runs one stage; whatever is not done in time is left to itself. `late` closes what is open and says what silence means.
        public static Stage Run(int ms, string resetCode, Func<Fault> late, Action<Facts> work)
        {
            Stopwatch clock = Stopwatch.StartNew();
            Facts facts = new Facts();
            Task job = Threads.Start(() => work(facts));
            Fault fault = null;
            try
            {
                if (!job.Wait(ms))
                {
                    facts.Close();
                    fault = late();
                }
            }
            catch (AggregateException e)
            {
                fault = Fault.Of(e.InnerException, resetCode);
                if (fault == null)
                    throw;
            }
            return new Stage(fault, (int)clock.ElapsedMilliseconds, facts.Close());
        }

        public static Fault Late()
        {
            return new Fault("timeout", "no answer in time");
        }

        public static Table NotRun()
        {
            return new Table { { "state", "not_run" }, { "reason", "deadline" } };
        }

        public Table AsTable()
        {
            Table table = new Table { { "state", Ok ? "ok" : "error" }, { "ms", Ms }, { "facts", Facts } };
            if (!Ok)
                table["error"] = Fault.AsTable();
            return table;
        }
    }

    internal static class Threads
    {
        // A thread of its own, since the work blocks, perhaps for long; the pool would give out few at a time.
        public static Task<T> Start<T>(Func<T> work)
        {
            Task<T> task = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            // The exception of what was abandoned is looked at, so that nobody reports it as unobserved.
            task.ContinueWith(done => done.Exception, TaskContinuationOptions.OnlyOnFaulted);
            return task;
        }

        public static Task Start(Action work)
        {
            return Start(() =>
            {
                work();
                return true;
            });
        }

        // Takes all items in their order, so many at once, and waits for the end.
        public static void Each<T>(IEnumerable<T> items, int atOnce, Action<T> work)
        {
            ConcurrentQueue<T> waiting = new ConcurrentQueue<T>(items);
            Action takeAll = () =>
            {
                T item;
                while (waiting.TryDequeue(out item))
                    work(item);
            };
            Task.WaitAll(Enumerable.Range(0, Math.Min(atOnce, waiting.Count)).Select(number => Start(takeAll)).ToArray());
        }
    }

    internal static class Texts
    {
        public static string Hex(int number, int width)
        {
            return number.ToString("x" + width, CultureInfo.InvariantCulture);
        }

        public static string Hex(IEnumerable<byte> bytes)
        {
            return string.Concat(bytes.Select(one => Hex(one, 2)));
        }

        // As the result's serialiser takes it.
        public static List<object> List<T>(IEnumerable<T> items)
        {
            return items.Cast<object>().ToList();
        }

        public static string Cut(string text, int most)
        {
            return text.Length <= most ? text : text.Substring(0, most);
        }

        // Printable ASCII without a space: fit for a request line.
        public static bool IsPlain(string text)
        {
            return text.All(c => c > ' ' && c <= '~');
        }
    }
}
