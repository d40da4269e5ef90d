"""Words of logs: splitting names, spelling out what is glued or abbreviated, concepts.

Belongs here: what the words of field and event names mean across products: `srcip` is a source
address, `signin` is a login. Does not belong here: any product's own vocabulary, reading logs.
"""

from __future__ import annotations

import functools
import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SPLIT = re.compile(r"[^A-Za-z0-9]+")
_ENDING = re.compile(r"(?:ations?|ing|ed|es|s|ion|ions|er|ment|al)$")
_SHORTEST_STEMMED = 6
_DIGITS = re.compile(r"^(?P<word>[a-z]{2,})(?P<number>\d{1,3})$")

# What glued names are made of: `dstport`, `logtype`, `sentbyte`.
_PIECES = frozenset(
    """
    access account action activity actor addr address admin agent alert all analysis api app
    application attack audit auth authentication author bad block body browser bucket byte bytes
    cat category cert certificate change channel check city class client cluster cmd code
    command computer config connection content control count country create created creation cve
    data database date db delete dest destination detail details detection dev device dir
    direction display dns domain dst duration email end endpoint engine entity error event exe
    execution ext external family field file filter finding flag flags flow folder format from
    full gateway geo group hash header host hostname http id image in incident index info int
    interface internal ip issuer item job key kind label last lease level line list local
    location log login logon logout mac machine mail malware manager mask message meta method
    mfa mode model module msg name nat network new node number object old operation org
    organization origin os out outcome owner packet packets parent password path permission pid
    pkt pkts platform policy port post principal priority process product profile program
    project proto protocol provider proxy query rcvd read reason received recipient record ref
    referer region registry remote reply report request resource response result risk role root
    rule scan scope score security sender sensor sent sequence serial server service session
    severity sha size source src start state status stream sub subject subtype summary svc sys
    system table tag tags target task tenant term text threat ticket time timestamp title to
    token topic total trace trans transaction translated trigger type uid unit update uri url
    user username users usr value vendor verb version vlan vpn vuln vulnerability web zone
    """.split()  # noqa: SIM905 - read and edited as words
)
_SHORT = {
    "src": "source", "dst": "destination", "dest": "destination", "addr": "address", "usr": "user",
    "msg": "message", "evt": "event", "proto": "protocol", "cmd": "command", "dir": "directory",
    "svc": "service", "srv": "server", "grp": "group", "pkt": "packets", "pkts": "packets",
    "pwd": "password", "passwd": "password", "dev": "device", "auth": "authentication",
    "authn": "authentication", "authz": "authorization", "cfg": "config", "conf": "config",
    "configuration": "config", "app": "application", "apps": "application", "db": "database",
    "vuln": "vulnerability", "vulnerabilities": "vulnerability", "cert": "certificate",
    "conn": "connection", "perm": "permission", "perms": "permission", "org": "organization",
    "organisation": "organization", "dept": "department", "mem": "memory", "proc": "process",
    "img": "image", "ver": "version", "num": "number", "cnt": "count", "lvl": "level",
    "sev": "severity", "desc": "description", "subj": "subject", "rcpt": "recipient",
    "req": "request",
    "resp": "response", "res": "result", "sess": "session", "orig": "origin", "rcvd": "received",
    "recv": "received", "ua": "useragent", "sig": "signature", "obj": "object", "acct": "account",
    "pid": "process id", "ppid": "parent process id", "sip": "source ip", "dip": "destination ip",
    "sport": "source port", "dport": "destination port", "spt": "source port",
    "dpt": "destination port", "suser": "source user", "duser": "destination user",
    "shost": "source host", "dhost": "destination host", "saddr": "source address",
    "daddr": "destination address", "cmdline": "command line", "filepath": "file path",
    "filename": "file name", "username": "user name", "hostname": "host name",
    "ipaddress": "ip address", "useragent": "user agent", "e": "", "s": "", "the": "", "of": "",
}  # fmt: skip
MAX_WORD_CHARS = 40


@functools.lru_cache(maxsize=50_000)
def split_words(name: str) -> tuple[str, ...]:
    """Split a field or event name into lower-case words: `UserLoginFailed` -> user login failed."""
    words = (word.lower() for word in _SPLIT.split(_CAMEL.sub(" ", name)))
    return tuple(word for word in words if word and len(word) <= MAX_WORD_CHARS)


@functools.lru_cache(maxsize=50_000)
def spell_key(key: str) -> tuple[str, ...]:
    """Split a field's name and spell out its pieces: `srcip` -> source ip."""
    words: list[str] = []
    for word in split_words(key):
        for piece in _unglue(word):
            words.extend(_SHORT.get(piece, piece).split())
    return tuple(words)


@functools.lru_cache(maxsize=50_000)
def stem_word(word: str) -> tuple[str, ...]:
    """Return the stems of a lower-case word's pieces: `driverloaded` -> driver load."""
    return tuple(_stem(piece) for piece in _unglue(word))


def _stem(word: str) -> str:
    if len(word) >= _SHORTEST_STEMMED:
        word = _ENDING.sub("", word)
    elif len(word) > 3:
        word = word.removesuffix("s")
    return word.removesuffix("e") if len(word) > 4 else word


@functools.lru_cache(maxsize=50_000)
def _unglue(word: str) -> tuple[str, ...]:
    numbered = _DIGITS.match(word)
    if numbered:
        word = numbered["word"]
    if word in _SHORT or word in _PIECES or not 5 <= len(word) <= MAX_WORD_CHARS:
        return (word,)
    # pieces[i]: the fewest pieces that word[:i] is made of.
    pieces: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(max(0, end - 14), end - 1):
            before = pieces[start]
            if before is None or word[start:end] not in _PIECES:
                continue
            found = pieces[end]
            if found is None or len(before) + 1 < len(found):
                pieces[end] = (*before, word[start:end])
    return pieces[-1] or (word,)


def _concepts(table: str) -> dict[str, str]:
    """Read `concept: word word …` lines into word -> concept."""
    found: dict[str, str] = {}
    for line in table.strip().splitlines():
        concept, words = line.split(":")
        found.update(dict.fromkeys(words.split(), concept.strip()))
    return found


VERBS = _concepts("""
    create: create created creates creating creation add added adds adding addition new register
    create: registered registration provision provisioned insert inserted generate generated
    create: onboard onboarded invite invited issued make made
    delete: delete deleted deletes deleting deletion del remove removed removes removing removal
    delete: destroy destroyed purge purged erase erased deprovision deprovisioned unregister
    delete: unregistered deregister trash trashed
    update: update updated updates updating modify modified modifies modification change changed
    update: changes changing set edit edited patch rename renamed configure configured replace
    update: replaced save saved put alter altered upsert
    read: get read reads list listed describe view viewed fetch fetched access accessed show
    read: lookup head retrieve retrieved preview previewed select open opened browse
    login: login logon signin logged loggedin logins authenticate authenticated authentication
    login: auth sso signon saml oidc kerberos ldap radius
    logout: logout logoff signout loggedout signoff
    fail: fail failed failure fails failing error invalid incorrect unsuccessful wrong bad
    succeed: success successful succeeded successfully ok completed
    deny: deny denied denies block blocked blocks drop dropped drops reject rejected refuse
    deny: refused prevent prevented discard discarded forbid forbidden disallow disallowed
    deny: blackhole
    allow: allow allowed allows permit permitted accept accepted pass passed
    start: start started starts starting begin began launch launched built established establish
    start: connect connected opening initiated up
    stop: stop stopped stops stopping end ended close closed teardown disconnect disconnected
    stop: terminate terminated shutdown down finished exit exited
    enable: enable enabled activate activated unsuspend unsuspended
    disable: disable disabled deactivate deactivated suspend suspended
    lock: lock locked lockout
    unlock: unlock unlocked
    reset: reset resets recover recovery
    install: install installed installation deploy deployed deployment
    uninstall: uninstall uninstalled
    run: execute executed exec execution run ran spawn spawned invoke invoked invocation
    transfer: download downloaded downloads upload uploaded uploads copy copied sync synced move
    transfer: moved transfer transferred
    share: share shared sharing unshare unshared link
    send: send sent sending deliver delivered delivery receive received relay relayed forward
    send: forwarded bounce bounced defer deferred
    quarantine: quarantine quarantined isolate isolated isolation contain contained containment
    quarantine: clean cleaned remediate remediated remediation mitigated
    detect: detect detected detection detections match matched found suspicious malicious anomaly
    detect: anomalous
    scan: scan scanned scanning scans
    grant: grant granted assign assigned attach attached authorize authorized elevate elevated
    grant: promote promoted consent
    revoke: revoke revoked unassign unassigned detach detached demote demoted
    query: query queried queries search searched lookup resolve resolved
    export: export exported import imported backup restore restored
""")
OBJECTS = _concepts("""
    user: user users account accounts principal identity identities person employee userid
    user: username guest
    member: member members membership
    group: group groups team teams
    role: role roles privilege privileges permission permissions entitlement entitlements acl
    role: rights admin administrator sudo
    policy: policy policies rule rules
    key: key keys token tokens secret secrets credential credentials certificate certificates
    key: apikey
    password: password passwords passphrase pwd
    mfa: mfa 2fa otp totp factor factors authenticator webauthn fido multifactor challenge
    mfa: passcode
    session: session sessions
    file: file files document documents folder folders directory attachment attachments
    process: process processes thread threads cmdline pid
    service: service services daemon
    task: task tasks job jobs cron schedule scheduled scheduler
    registry: registry regkey hklm hkcu
    driver: driver drivers kernel
    module: module modules dll library
    script: script scripts powershell scriptblock macro
    device: device devices host hosts endpoint endpoints machine computer workstation asset assets
    peripheral: usb removable storage disk volume bluetooth
    connection: connection connections connect flow flows traffic packet packets tcp udp icmp
    connection: netflow conn
    dns: dns qname rrname rcode nxdomain resolver
    dhcp: dhcp lease leases dhcpack dhcprequest dhcpdiscover dhcpoffer
    web: http https url uri web request requests website proxy useragent
    email: email mail mails smtp mailbox recipient recipients sender inbox
    database: database table tables sql schema warehouse
    vpn: vpn tunnel tunnels ipsec ike ikev2 anyconnect globalprotect wireguard
    ssh: ssh sshd sftp
    ftp: ftp ftps
    smb: smb cifs ntlmssp
    rdp: rdp
    threat: malware virus trojan threat threats attack attacks exploit intrusion ransomware
    threat: phishing phish spam botnet adware backdoor c2 ioc indicator indicators
    vulnerability: vulnerability vulnerabilities cve cves cvss
    compliance: compliance compliant misconfiguration benchmark control controls cis posture
    alert: alert alerts alarm alarms finding findings
    incident: incident incidents case cases
    application: application applications app apps software package packages product
    config: config configuration setting settings preference preferences option options
    organization: organization organizations org project projects workspace tenant domain
    cluster: cluster pod pods container containers namespace kubernetes node
    log: log logs audit eventlog
    data: dlp data sensitive pii classification
""")
