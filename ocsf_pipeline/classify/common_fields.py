"""What the fields of events of a class are commonly called, whatever the product.

Belongs here: field names in general use, by class uid. Does not belong here: names of events
(`lexicon`), any product's own fields (packs hold those).
"""

from __future__ import annotations

COMMON_FIELDS: dict[int, str] = {
    1001: (
        "file name; file path; target file name; file size; file hash; old file name; process "
        "id"
    ),
    1005: (
        "image loaded; module path; module name; signature; signed; process id; image"
    ),
    1007: (
        "process id; parent process id; command line; image; parent image; user; integrity "
        "level"
    ),
    1010: (
        "device id; vendor id; product id; serial number; usb; device class; drive letter; "
        "model"
    ),
    2002: (
        "cve; cve id; cvss score; cvss; severity; fixed version; package name; plugin id; "
        "exploit"
    ),
    2003: (
        "control id; benchmark; compliance status; rule name; remediation; resource id; "
        "framework"
    ),
    2004: (
        "alert id; rule name; severity; mitre tactics; threat name; detection time; confidence"
    ),
    2005: (
        "incident id; incident number; assigned to; owner; status; alerts count; classification"
    ),
    2006: (
        "dlp policy; sensitive info types; match count; policy name; file name; data "
        "classification"
    ),
    3001: (
        "target user name; changed attributes; old value; new value; account name; initiated by"
    ),
    3002: (
        "user name; logon type; auth method; failure reason; mfa; source ip; session id; result"
    ),
    3004: (
        "resource id; resource type; old value; new value; actor email; policy id; change"
    ),
    3005: (
        "role name; user; granted by; permission; scope; target user; privilege"
    ),
    3006: (
        "group name; member name; group id; target group; member id"
    ),
    4001: (
        "source ip; destination ip; source port; destination port; protocol; bytes sent; bytes "
        "received; packets; duration; action; interface"
    ),
    4002: (
        "http method; url; status code; user agent; referer; host; bytes; client ip; uri"
    ),
    4003: (
        "query name; query type; response code; answers; client ip; question; rcode; domain"
    ),
    4004: (
        "client mac; assigned ip; lease time; host name; requested ip; dhcp type; server ip"
    ),
    4006: (
        "share name; relative target name; smb command; tree id; dialect; share path"
    ),
    4007: (
        "client version; server version; hassh; kex algorithm; cipher; auth attempts; ssh"
    ),
    4008: (
        "ftp command; reply code; argument; user; file; ftp; transfer mode"
    ),
    4009: (
        "sender; recipient; subject; message id; from; to; delivery status; attachments; size; "
        "helo"
    ),
    4014: (
        "tunnel id; vpn type; assigned ip; gateway; remote peer; tunnel type; bytes in; "
        "duration"
    ),
    5001: (
        "asset id; host name; operating system; mac address; manufacturer; model; first seen; "
        "last seen; ip addresses; asset type"
    ),
    5003: (
        "user principal name; department; job title; manager; display name; account enabled; "
        "groups"
    ),
    5020: (
        "package name; package version; installed on; publisher; architecture; license"
    ),
    5021: (
        "ioc; ioc type; indicator; indicator type; tlp level; confidence; feed; threat actors; "
        "malware families; valid until; tags; first seen; last seen; source feed"
    ),
    5023: (
        "resource arn; resource id; configuration; resource type; region; account id; tags"
    ),
    6001: (
        "page id; page title; resource url; actor; workspace id; item name"
    ),
    6002: (
        "package; version; service name; installed by; unit; application name"
    ),
    6003: (
        "request id; api; operation; request parameters; response elements; user identity; "
        "region; status code; caller; request uri; object ref"
    ),
    6005: (
        "query text; database name; sql text; table name; rows affected; statement; warehouse "
        "name"
    ),
    6006: (
        "file name; file id; shared with; owner; folder; visibility; item type; site url"
    ),
    6007: (
        "scan id; scan type; files scanned; duration; start time; threats found; scan name"
    ),
    6008: (
        "exception; stack trace; fault module; error code; exit code; faulting application"
    ),
    201001: (
        "registry key; key name; object name; hive; process id"
    ),
    201002: (
        "registry value name; value data; old value; new value; target object; details; hive"
    ),
    201004: (
        "service name; service file name; start type; service account; image path"
    ),
}  # fmt: skip
"""What the fields of such events are commonly called."""
