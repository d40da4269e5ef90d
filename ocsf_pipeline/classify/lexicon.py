"""What events of a class are commonly called, whatever the product: `ssh`, `process create`.

Belongs here: names in general use, by class uid. Does not belong here: any product's own event
names or ids (packs hold those).

The ranker learns from them as from examples that have a name and nothing else; together with the
captions of the schema they keep it right about a word that no pack has in that place.
"""

from __future__ import annotations

from ocsf_pipeline.classify.common_fields import COMMON_FIELDS
from ocsf_pipeline.classify.queries import LogQuery

COMMON_NAMES: dict[int, str] = {
    1001: (
        "file create; file write; file read; file delete; file rename; file modified; file open; "
        "file access; directory create; file set security; file created; file deleted; new file "
        "written; executable written; file permission change; mkdir; unlink; chmod; chown; file "
        "integrity; file download by process"
    ),
    1002: (
        "driver load; driver loaded; kernel module load; load driver; kernel extension load; "
        "insmod; kext; driverload"
    ),
    1003: (
        "kernel activity; syscall; kernel audit; system call"
    ),
    1004: (
        "memory allocation; memory protection; memory map; write process memory; mprotect; "
        "virtual alloc; read process memory; buffer overflow"
    ),
    1005: (
        "image load; module load; dll load; library load; load image; image loaded; module "
        "loaded; loadimage"
    ),
    1006: (
        "scheduled task; scheduled task created; task registered; cron; cron job; job created; "
        "scheduled job started; crontab edit; at job; task scheduler; job started; job ended; "
        "task deleted; task completed"
    ),
    1007: (
        "process; process create; process start; process creation; process terminated; process "
        "exec; exec; execve; command execution; process open; open process; process access; "
        "process injection; create remote thread; new process; process started; process stop; "
        "session command; command executed; process ended; set uid; process rollup; duplicate "
        "handle"
    ),
    1008: (
        "event log cleared; audit log cleared; log cleared; event log service stopped; log "
        "rotated; logging stopped; audit policy stopped; event logging shut down; log export"
    ),
    1009: (
        "script block; script execution; powershell script; scriptblock; script; amsi scan; macro "
        "execution; script executed"
    ),
    1010: (
        "usb device connected; device plugged; removable device; usb connect; usb disconnect; "
        "peripheral; mass storage; device mount; bluetooth device connected; usb"
    ),
    2002: (
        "vulnerability; vulnerability found; cve; vulnerability detected; vulnerability scan "
        "result; vulnerable package; vulnerability finding; new vulnerability; exposure"
    ),
    2003: (
        "compliance; compliance check; control failed; benchmark result; misconfiguration; "
        "configuration finding; policy violation of configuration; compliance finding; posture "
        "check; rule failed; security hub control; cloud configuration finding; benchmark"
    ),
    2004: (
        "alert; detection; threat; malware; malware detected; intrusion; ids alert; ips; threat "
        "detected; attack; alarm; security alert; exploit; virus found; suspicious activity; "
        "anomaly; detection summary; indicator match; ioc match; signature match; threat event; "
        "security event; honeypot; canary triggered; phishing detected; brute force; deep guard; "
        "sandbox verdict; malicious file; infected; trojan; ransomware; deny attack"
    ),
    2005: (
        "incident; case; incident created; incident updated; case opened; offense; investigation; "
        "incident closed; case assigned"
    ),
    2006: (
        "dlp; data loss prevention; dlp incident; sensitive data; data leak; data classification; "
        "dlp violation; data exfiltration policy; sensitive data found; secret found"
    ),
    2007: (
        "code scanning alert; dependency alert; secret scanning alert; static analysis finding; "
        "application security finding; code vulnerability; sast; dast"
    ),
    2008: (
        "unused access; over privileged identity; external access finding; iam analysis; access "
        "analyzer finding; excessive permission"
    ),
    3001: (
        "user created; create user; add user; delete user; user deleted; account created; account "
        "disabled; user disabled; enable user; password change; password changed; password reset; "
        "reset password; account locked; account unlocked; user updated; user invited; mfa "
        "enrolled; mfa disabled; update user; user suspended; change password; delete account; "
        "user added; user removed; two factor enabled; user profile update; new user; account "
        "change; update login profile; credential registered; user account update; useradd; "
        "userdel; unlock account; invite"
    ),
    3002: (
        "login; logon; logout; logoff; sign in; sign out; login failed; login success; login "
        "failure; authentication; authentication failed; authentication failure; authentication "
        "success; user login; user logged in; user logged out; mfa challenge; mfa; sso; saml; "
        "accepted password; failed password; session opened for user; token issued; auth; user "
        "session start; user signed in; kerberos ticket; assume role; get session token; console "
        "login; signin; invalid user; access denied login; user authentication; session expired; "
        "login succeeded; admin login; su; sudo; two factor verification; passcode; login "
        "blocked; security token; oidc; multi factor"
    ),
    3003: (
        "special privileges assigned; consent to application; authorize session; privileges "
        "assigned to new logon; access request; permission check; oauth authorization; elevate "
        "privileges; session authorized; authorize"
    ),
    3004: (
        "policy created; policy updated; policy change; create policy; api key created; api key "
        "deleted; key created; key revoked; key updated; application created; configuration "
        "changed; settings changed; setting updated; project created; project archived; device "
        "enrolled; device registered; role created; rule created; rule modified; integration "
        "created; webhook created; service principal created; organization updated; certificate "
        "created; ip allowlist updated; service account key; sso configuration; scim enabled; "
        "resource created; connector updated; rate limit updated; create key; workspace created; "
        "tag created; entity update; create token; config change; secret created"
    ),
    3005: (
        "role assigned; role granted; role removed; grant role; revoke role; permission granted; "
        "permission changed; permissions updated; access granted; privilege granted; privilege "
        "revoked; add role to user; assign role; attach user policy; admin granted; role change; "
        "user right assigned; update permissions; change owner; grant access; revoke access; "
        "access revoked; make admin; membership role"
    ),
    3006: (
        "group created; group deleted; member added to group; member removed from group; add to "
        "group; remove from group; add group member; group membership change; group updated; "
        "create group; delete group; add member; remove member; team created; adding user to "
        "group"
    ),
    4001: (
        "flow; traffic; connection; network connection; network connect; firewall; session; conn; "
        "accept; deny; drop; allow; netflow; connection closed; connection opened; built "
        "connection; teardown; tcp; udp; icmp; firewall deny; packet dropped; session start; "
        "session end; tls; ssl; network flow; traffic end; block connection; network; tls "
        "handshake; forward traffic; access list"
    ),
    4002: (
        "http; http request; http access; web access; web; url; proxy; access log; get; post; "
        "https; waf; url filtering; web proxy; web request; http transaction; webfilter; site "
        "visit; put; head; http response; page; application request"
    ),
    4003: (
        "dns; dns query; dns request; dns response; query; name resolution; dns lookup; dns log; "
        "nxdomain; resolver; dns activity; rpz"
    ),
    4004: (
        "dhcp; dhcp lease; dhcp ack; dhcp request; dhcp discover; lease assigned; dhcp offer; "
        "dhcprequest; dhcpack; dhcpdiscover; lease; no dhcp lease"
    ),
    4005: (
        "rdp; remote desktop; remote desktop session connected; rdp connection; rdp session "
        "disconnect"
    ),
    4006: (
        "smb; smb mapping; share access; network share accessed; smb files; file share "
        "connection; smb session; cifs"
    ),
    4007: (
        "ssh; ssh connection; ssh session; sftp subsystem; ssh disconnect; ssh server; connection "
        "closed by ssh; ssh port forwarding"
    ),
    4008: (
        "ftp; ftp upload; ftp download; ftp transfer; ftp connect; ftp command; file transfer; "
        "ftp data; tftp"
    ),
    4009: (
        "email; mail; smtp; message delivered; message received; email sent; message trace; "
        "delivery; mail log; bounce; email rejected; message accepted; mailflow; email event; "
        "spam; mail delivery; quarantined message; antispam; mail transaction"
    ),
    4013: (
        "ntp; time synchronization; ntp sync; clock synchronized; time sync"
    ),
    4014: (
        "vpn; tunnel; vpn tunnel up; vpn tunnel down; ipsec; ike; tunnel established; vpn "
        "session; ssl vpn tunnel; vpn connected; vpn disconnected; session disconnected vpn; "
        "anyconnect session; address assigned to vpn session; wireguard; tunnel up; tunnel down; "
        "rekey; vpn session resumed"
    ),
    5001: (
        "device inventory; asset inventory; asset; device info; host inventory; computer "
        "inventory; device discovered; new asset; asset updated; node; aid master"
    ),
    5003: (
        "user inventory; identity inventory; user info; directory user record; user list"
    ),
    5004: (
        "patch state; missing patches; patch installed; update installed; os patch status"
    ),
    5019: (
        "device configuration change; config state; running configuration changed; device setting "
        "changed; configured from console; time changed; system configuration changed; security "
        "state change"
    ),
    5020: (
        "software inventory; installed software; package inventory; sbom; installed applications; "
        "software list"
    ),
    5021: (
        "indicator; ioc; threat intelligence; threat feed; observable; indicator created; ioc "
        "feed; threat actor; malware family; intelligence; ioc type md5; ioc type domain; ioc "
        "type ip; tlp; reputation indicator"
    ),
    5023: (
        "cloud resource inventory; resource snapshot; cloud asset; configuration item; resource "
        "inventory"
    ),
    5040: (
        "live evidence; forensic collection; evidence collected; triage artifact; memory dump "
        "collected"
    ),
    6001: (
        "page viewed; page created; dashboard viewed; record updated; issue created; repository "
        "cloned; web resource access; search performed; comment added; ticket updated; report "
        "exported; resource accessed; chat created; conversation viewed; workspace page"
    ),
    6002: (
        "service started; service stopped; application installed; software installed; package "
        "installed; application started; agent started; agent updated; software removed; system "
        "startup; shutdown; reboot; system restart; service restart; daemon started; update "
        "completed; install; uninstall; application crash restart; process manager; engine "
        "update; container started; started; stopped; version upgraded; app installed"
    ),
    6003: (
        "api call; api request; api; aws api call; audit; create instance; delete instance; "
        "describe; list; create resource; delete bucket; run command; admin activity; kubernetes "
        "audit; pods create; get secrets; create security group; put bucket policy; describe "
        "instances; create cluster; update function; start instance; stop instance; create "
        "network; write; read; delete; invoke; modify; data access; create snapshot; delete "
        "trail; watch; patch; responsecomplete; create load balancer; delete channel; workspace "
        "configuration edit; create job; job update"
    ),
    6005: (
        "database query; sql query; select; table access; query executed; database; insert; "
        "update table; create table; drop table; database login query; statement; object read; "
        "get object; put object; data read; select from table; execute query; database audit; "
        "copy into"
    ),
    6006: (
        "file uploaded; file downloaded; file shared; file accessed; file preview; file "
        "previewed; upload; download; share file; file viewed; document shared; file moved; file "
        "copied; link created; folder shared; file synced; file restored; sharing link created"
    ),
    6007: (
        "scan started; scan completed; scan finished; scan; antivirus scan; scan cancelled; "
        "scheduled scan; scan summary; scan failed"
    ),
    6008: (
        "application error; crash; exception; error; application hang; fault; out of memory; "
        "segfault; stack trace; service failure; fatal error; internal server error; traceback"
    ),
    7001: (
        "host isolated; isolate device; network containment; remediation; contain host; response "
        "action; release from isolation; account disabled by response; lift containment"
    ),
    7002: (
        "file quarantined; quarantine file; file deleted by remediation; clean file; file "
        "remediated; file restored from quarantine; collect file response"
    ),
    7003: (
        "process killed; kill process; process terminated by response; process blocked by "
        "remediation; stop process response"
    ),
    7004: (
        "ip blocked; block ip; ban address; address blocked; firewall block added; shun; unban; "
        "null route"
    ),
    8001: (
        "drone detected; drone flight; uas; remote id; unmanned aircraft"
    ),
    8002: (
        "adsb; ads b; aircraft position; mode s; transponder"
    ),
    201001: (
        "registry key created; registry key deleted; create key; registry key opened; regkey; "
        "registry key read; registry key; create registry key; delete registry key; rename "
        "registry key"
    ),
    201002: (
        "registry value set; set value; registry value deleted; registry modification; regvalue; "
        "registry value; registry value modified; registry value delete; set registry value"
    ),
    201003: (
        "handle requested; object access; handle to an object; object operation; windows resource"
    ),
    201004: (
        "service installed; new service installed; service created; windows service; service "
        "changed; service config changed; service control manager; service start type changed; "
        "service deleted"
    ),
    0: (
        "heartbeat; status; device status; health; keepalive; system status; temperature; fan; "
        "power supply; statistics; metrics; link status; ping; license"
    ),
}  # fmt: skip


def build_common_queries(class_uid: int) -> list[LogQuery]:
    """Return a query for each common name, and one for the common fields."""
    queries = [
        LogQuery(
            names=f"event type: {name}",
            message="",
            keys="event type",
            kinds="",
            source="",
            head=f"event type: {name}",
        )
        for name in list_common_names(class_uid)
    ]
    fields = COMMON_FIELDS.get(class_uid, "")
    if fields:
        keys = fields.replace("; ", " ; ")
        queries.append(LogQuery(names="", message="", keys=keys, kinds="", source=""))
    return queries


def list_common_names(class_uid: int) -> list[str]:
    """Return what events of the class are commonly called; empty for a class without an entry."""
    return [name.strip() for name in COMMON_NAMES.get(class_uid, "").split(";") if name.strip()]
