// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. What a proxy script says, by Windows' own call, in a time of its own.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace ansible_collections.appproxy.connector.plugins.module_utils._WinHttp
{
    internal static class NativeMethods
    {
        // WINHTTP_AUTOPROXY_OPTIONS
        [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
        public struct AutoProxyOptions
        {
            public uint Flags;
            public uint AutoDetectFlags;
            [MarshalAs(UnmanagedType.LPWStr)]
            public string AutoConfigUrl;
            public IntPtr Reserved;
            public uint ReservedNumber;
            [MarshalAs(UnmanagedType.Bool)]
            public bool AutoLogonIfChallenged;
        }

        // WINHTTP_PROXY_INFO. The texts are the caller's to free.
        [StructLayout(LayoutKind.Sequential)]
        public struct ProxyInfo
        {
            public uint AccessType;
            public IntPtr Proxy;
            public IntPtr ProxyBypass;
        }

        [DllImport("winhttp.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern IntPtr WinHttpOpen(string agent, uint accessType, string proxy, string bypass, uint flags);

        [DllImport("winhttp.dll", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static extern bool WinHttpSetTimeouts(IntPtr session, int resolve, int connect, int send, int receive);

        [DllImport("winhttp.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static extern bool WinHttpGetProxyForUrl(IntPtr session, string url, ref AutoProxyOptions options, out ProxyInfo info);

        [DllImport("winhttp.dll", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static extern bool WinHttpCloseHandle(IntPtr handle);

        [DllImport("kernel32.dll")]
        public static extern IntPtr GlobalFree(IntPtr memory);
    }

    public static class WinHttp
    {
        public const int TimedOut = 12002;
        private const uint NoProxy = 1, Named = 3, AutoDetect = 1, ConfigUrl = 2, DhcpAndDns = 3;

        // Asks the script at `pac`, or with null the one that automatic detection finds, which way `url` takes. Gives
        // "error", Windows' number or 0, and "proxies", a list of "host:port" in their order; it is empty for a direct way.
        // Scripts in files are not taken by this call. An exception means that the call itself is not there.
        public static Dictionary<string, object> ProxyForUrl(string pac, string url, int timeoutMs)
        {
            // On a thread of its own: the call has no timeout of its own over all that it does.
            Task<Dictionary<string, object>> call = Task.Factory.StartNew(
                () => Ask(pac, url, timeoutMs), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            try
            {
                return call.Wait(timeoutMs) ? call.Result : Answer(TimedOut, null);
            }
            catch (AggregateException e)
            {
                throw e.GetBaseException();
            }
        }

        private static Dictionary<string, object> Ask(string pac, string url, int timeoutMs)
        {
            IntPtr session = NativeMethods.WinHttpOpen("appproxy.connector", NoProxy, null, null, 0);
            if (session == IntPtr.Zero)
                return Answer(Marshal.GetLastWin32Error(), null);
            try
            {
                NativeMethods.WinHttpSetTimeouts(session, timeoutMs, timeoutMs, timeoutMs, timeoutMs);
                NativeMethods.AutoProxyOptions options = new NativeMethods.AutoProxyOptions
                {
                    Flags = pac == null ? AutoDetect : ConfigUrl,
                    AutoDetectFlags = pac == null ? DhcpAndDns : 0,
                    AutoConfigUrl = pac
                };
                NativeMethods.ProxyInfo info;
                if (!NativeMethods.WinHttpGetProxyForUrl(session, url, ref options, out info))
                    return Answer(Marshal.GetLastWin32Error(), null);
                string proxies = info.AccessType == Named ? Marshal.PtrToStringUni(info.Proxy) : null;
                NativeMethods.GlobalFree(info.Proxy);
                NativeMethods.GlobalFree(info.ProxyBypass);
                return Answer(0, proxies);
            }
            finally
            {
                NativeMethods.WinHttpCloseHandle(session);
            }
        }

        private static Dictionary<string, object> Answer(int error, string proxies)
        {
            char[] between = { ';', ' ', '\t' };
            IEnumerable<string> list = (proxies ?? "").Split(between, StringSplitOptions.RemoveEmptyEntries);
            return new Dictionary<string, object> { { "error", error }, { "proxies", list.Cast<object>().ToList() } };
        }
    }
}
