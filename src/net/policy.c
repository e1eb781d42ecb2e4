/*
 * policy.c: where requests may go.
 *
 * A policy is asked twice: about a host that is written as an address, before anything is connected, and about every
 * address that libcurl is about to connect to (receive.c), which is the one that counts: what a name resolves to may
 * change between a look-up and the connection, and a URL has many spellings of one address. A name by itself opens and
 * closes as rules say, but what is connected to is an address.
 *
 * IPv6 addresses that carry an IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP) must
 * pass twice: as themselves and as what they carry. So opening 64:ff9b::/96 for a network with NAT64 does not open
 * 64:ff9b::7f00:1.
 *
 * Everything of IPv6 outside 2000::/3 is closed by default, assigned or not.
 *
 * wf_net_policy_permits and what it calls run within libcurl: they allocate nothing and throw nothing.
 */
#include "net/internal.h"

#include <arpa/inet.h>

#include "lib/stringinfo.h"

/* An address of either family. */
typedef struct Address
{
	int			family;
	uint8		bytes[16];
} Address;

typedef enum RuleKind
{
	RULE_BLOCK,					/* addresses */
	RULE_HOST,					/* this host */
	RULE_BELOW,					/* every host below this one */
	RULE_ANY,					/* every host */
} RuleKind;

typedef struct Rule
{
	RuleKind	kind;
	Address		address;
	int			bits;
	char	   *host;
	int			port;			/* 0: any */
	char	   *text;			/* as it was written */
} Rule;

typedef struct RuleList
{
	Rule	   *rules;
	int			n;
} RuleList;

struct WfNetPolicy
{
	WfNetRules	source;
	RuleList	allow;
	RuleList	deny;
	RuleList	tenant_allow;
	RuleList	tenant_deny;
};

/* What is closed by default; of several that match, the first is named. */
static const struct
{
	int			family;
	uint8		bytes[16];
	int			bits;
	const char *name;
}			closed[] = {
	{AF_INET, {0}, 8, "unspecified 0.0.0.0/8"},
	{AF_INET, {10}, 8, "private 10.0.0.0/8"},
	{AF_INET, {100, 64}, 10, "carrier-grade NAT 100.64.0.0/10"},
	{AF_INET, {127}, 8, "loopback 127.0.0.0/8"},
	{AF_INET, {168, 63, 129, 16}, 32, "cloud platform 168.63.129.16/32"},
	{AF_INET, {169, 254}, 16, "link-local 169.254.0.0/16"},
	{AF_INET, {172, 16}, 12, "private 172.16.0.0/12"},
	{AF_INET, {192, 0, 0}, 24, "protocol assignments 192.0.0.0/24"},
	{AF_INET, {192, 0, 2}, 24, "documentation 192.0.2.0/24"},
	{AF_INET, {192, 31, 196}, 24, "AS112 192.31.196.0/24"},
	{AF_INET, {192, 52, 193}, 24, "AMT 192.52.193.0/24"},
	{AF_INET, {192, 88, 99}, 24, "6to4 relays 192.88.99.0/24"},
	{AF_INET, {192, 168}, 16, "private 192.168.0.0/16"},
	{AF_INET, {192, 175, 48}, 24, "AS112 192.175.48.0/24"},
	{AF_INET, {198, 18}, 15, "benchmarking 198.18.0.0/15"},
	{AF_INET, {198, 51, 100}, 24, "documentation 198.51.100.0/24"},
	{AF_INET, {203, 0, 113}, 24, "documentation 203.0.113.0/24"},
	{AF_INET, {224}, 4, "multicast 224.0.0.0/4"},
	{AF_INET, {255, 255, 255, 255}, 32, "broadcast 255.255.255.255/32"},
	{AF_INET, {240}, 4, "reserved 240.0.0.0/4"},
	{AF_INET6, {0}, 128, "unspecified ::/128"},
	{AF_INET6, {[15] = 1}, 128, "loopback ::1/128"},
	{AF_INET6, {[10] = 0xff, [11] = 0xff}, 96, "IPv4-mapped ::ffff:0:0/96"},
	{AF_INET6, {[8] = 0xff, [9] = 0xff}, 96, "IPv4-translated ::ffff:0:0:0/96"},
	{AF_INET6, {0}, 96, "IPv4-compatible ::/96"},
	{AF_INET6, {0, 0x64, 0xff, 0x9b}, 96, "NAT64 64:ff9b::/96"},
	{AF_INET6, {0, 0x64, 0xff, 0x9b, 0, 1}, 48, "NAT64 64:ff9b:1::/48"},
	{AF_INET6, {1}, 64, "discard 100::/64"},
	{AF_INET6, {0x20, 0x01}, 32, "Teredo 2001::/32"},
	{AF_INET6, {0x20, 0x01, 0, 2}, 48, "benchmarking 2001:2::/48"},
	{AF_INET6, {0x20, 0x01}, 23, "protocol assignments 2001::/23"},
	{AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32, "documentation 2001:db8::/32"},
	{AF_INET6, {0x20, 0x02}, 16, "6to4 2002::/16"},
	{AF_INET6, {0x3f, 0xff}, 20, "documentation 3fff::/20"},
	{AF_INET6, {0x3f, 0xfe}, 16, "6bone 3ffe::/16"},
	{AF_INET6, {0xfc}, 7, "unique local fc00::/7"},
	{AF_INET6, {0xfe, 0x80}, 10, "link-local fe80::/10"},
	{AF_INET6, {0xfe, 0xc0}, 10, "site-local fec0::/10"},
	{AF_INET6, {0xff}, 8, "multicast ff00::/8"},
	{AF_INET6, {0}, 3, "not global unicast ::/3"},
	{AF_INET6, {0x40}, 2, "not global unicast 4000::/2"},
	{AF_INET6, {0x80}, 1, "not global unicast 8000::/1"},
};

static bool
in_block(const Address *address, int family, const uint8 *block, int bits)
{
	int			whole = bits / 8;
	int			rest = bits % 8;

	if (address->family != family || memcmp(address->bytes, block, whole) != 0)
		return false;
	return rest == 0 || ((address->bytes[whole] ^ block[whole]) >> (8 - rest)) == 0;
}

static bool
parse_address(const char *text, Address *out)
{
	memset(out, 0, sizeof(*out));
	out->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(out->family, text, out->bytes) == 1;
}

/* -- asking -- */

/* Is the host the rule's, or below it? Hosts are in lower case. */
static bool
host_matches(const Rule *rule, const char *host)
{
	size_t		host_bytes;
	size_t		rule_bytes;

	switch (rule->kind)
	{
		case RULE_ANY:
			return true;
		case RULE_HOST:
			return host != NULL && strcmp(host, rule->host) == 0;
		case RULE_BELOW:
			if (host == NULL)
				return false;
			host_bytes = strlen(host);
			rule_bytes = strlen(rule->host);
			return host_bytes > rule_bytes + 1 && host[host_bytes - rule_bytes - 1] == '.' &&
				strcmp(host + host_bytes - rule_bytes, rule->host) == 0;
		case RULE_BLOCK:
			break;
	}
	return false;
}

static const Rule *
find_rule(const RuleList *list, const char *host, const Address *address, int port)
{
	for (int i = 0; i < list->n; i++)
	{
		const Rule *rule = &list->rules[i];

		if (rule->port != 0 && rule->port != port)
			continue;
		if (rule->kind == RULE_BLOCK ? in_block(address, rule->address.family, rule->address.bytes, rule->bits)
			: host_matches(rule, host))
			return rule;
	}
	return NULL;
}

static const char *
closed_by_default(const Address *address)
{
	for (int i = 0; i < lengthof(closed); i++)
		if (in_block(address, closed[i].family, closed[i].bytes, closed[i].bits))
			return closed[i].name;
	return NULL;
}

static void
add_carried(Address *out, int *n, const uint8 *bytes, uint8 flip)
{
	Address    *a = &out[(*n)++];

	memset(a, 0, sizeof(*a));
	a->family = AF_INET;
	for (int i = 0; i < 4; i++)
		a->bytes[i] = bytes[i] ^ flip;
}

/* The IPv4 addresses that an IPv6 address carries; at most 3. */
static int
carried(const Address *address, Address *out)
{
	static const uint8 zero[12] = {0};
	static const uint8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8 translated[12] = {[8] = 0xff, [9] = 0xff};
	static const uint8 nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8 nat64_local[6] = {0, 0x64, 0xff, 0x9b, 0, 1};
	const uint8 *b = address->bytes;
	int			n = 0;

	if (address->family != AF_INET6)
		return 0;
	if (memcmp(b, mapped, 12) == 0 || memcmp(b, translated, 12) == 0 || memcmp(b, nat64, 12) == 0)
		add_carried(out, &n, b + 12, 0);
	else if (memcmp(b, zero, 12) == 0)
	{
		/* But for :: and ::1. */
		if (b[12] != 0 || b[13] != 0 || b[14] != 0 || b[15] > 1)
			add_carried(out, &n, b + 12, 0);
	}
	else if (memcmp(b, nat64_local, 6) == 0)
	{
		/*
		 * RFC 6052: a prefix of 48 bits puts it around the byte 8, with zeros behind; one of 96 bits puts it behind
		 * zeros. What is not zero counts, as one does not know which.
		 */
		const uint8 at_48[4] = {b[6], b[7], b[9], b[10]};

		if (memcmp(at_48, zero, 4) != 0)
			add_carried(out, &n, at_48, 0);
		if (memcmp(b + 11, zero, 5) != 0)
			add_carried(out, &n, b + 12, 0);
	}
	else if (b[0] == 0x20 && b[1] == 0x02)
		add_carried(out, &n, b + 2, 0);
	else if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0)
	{
		add_carried(out, &n, b + 4, 0); /* Teredo's server, then the client behind its NAT */
		add_carried(out, &n, b + 12, 0xff);
	}
	if ((b[8] & ~2) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe)
		add_carried(out, &n, b + 12, 0);	/* ISATAP */
	return n;
}

/* One address, without what it carries. */
static bool
permits_one(const WfNetPolicy *policy, const char *host, const Address *address, int port, bool is_carried,
			char *rule, size_t rule_size)
{
	const char *name = closed_by_default(address);
	const Rule *found;

	if (policy != NULL && (found = find_rule(&policy->deny, host, address, port)) != NULL)
	{
		snprintf(rule, rule_size, "deny %s", found->text);
		return false;
	}
	if (name != NULL && (policy == NULL || find_rule(&policy->allow, host, address, port) == NULL))
	{
		snprintf(rule, rule_size, "%s", name);
		return false;
	}
	if (policy != NULL && (found = find_rule(&policy->tenant_deny, host, address, port)) != NULL)
	{
		snprintf(rule, rule_size, "tenant's deny %s", found->text);
		return false;
	}
	if (policy != NULL && policy->tenant_allow.n > 0 && !is_carried &&
		find_rule(&policy->tenant_allow, host, address, port) == NULL)
	{
		snprintf(rule, rule_size, "not in the tenant's allow list");
		return false;
	}
	return true;
}

static bool
permits(const WfNetPolicy *policy, const char *host, const Address *address, int port, char *rule, size_t rule_size)
{
	Address		inside[3];
	int			n = carried(address, inside);

	if (!permits_one(policy, host, address, port, false, rule, rule_size))
		return false;
	for (int i = 0; i < n; i++)
		if (!permits_one(policy, host, &inside[i], port, true, rule, rule_size))
			return false;
	return true;
}

/*
 * May it be connected to, for a URL of this host? `rule` gets the rule that says no. Called within libcurl: throws
 * nothing.
 */
bool
wf_net_policy_permits(const WfNetPolicy *policy, const char *host, const struct sockaddr *address, char *rule, size_t rule_size)
{
	Address		a = {0};
	int			port;

	a.family = address->sa_family;
	if (address->sa_family == AF_INET)
	{
		const struct sockaddr_in *in = (const struct sockaddr_in *) address;

		memcpy(a.bytes, &in->sin_addr, 4);
		port = ntohs(in->sin_port);
	}
	else if (address->sa_family == AF_INET6)
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) address;

		memcpy(a.bytes, &in6->sin6_addr, 16);
		port = ntohs(in6->sin6_port);
	}
	else
	{
		snprintf(rule, rule_size, "neither IPv4 nor IPv6");
		return false;
	}
	return permits(policy, host, &a, port, rule, rule_size);
}

/* Closed by its name, whatever its addresses are? */
static bool
permits_name(const WfNetPolicy *policy, const char *host, int port, char *rule, size_t rule_size)
{
	static const Address none = {0};
	const Rule *found;

	if (policy == NULL)
		return true;
	if ((found = find_rule(&policy->deny, host, &none, port)) != NULL)
	{
		snprintf(rule, rule_size, "deny %s", found->text);
		return false;
	}
	if ((found = find_rule(&policy->tenant_deny, host, &none, port)) != NULL)
	{
		snprintf(rule, rule_size, "tenant's deny %s", found->text);
		return false;
	}
	for (int i = 0; i < policy->tenant_allow.n; i++)
		if (policy->tenant_allow.rules[i].kind == RULE_BLOCK)
			return true;		/* an address of it may match */
	if (policy->tenant_allow.n > 0 && find_rule(&policy->tenant_allow, host, &none, port) == NULL)
	{
		snprintf(rule, rule_size, "not in the tenant's allow list");
		return false;
	}
	return true;
}

/*
 * What can be said before names are resolved: everything of a host that is an address; of a name, whether rules about
 * names close it, so that not even a query for it leaves.
 */
bool
wf_net_policy_permits_host(const WfNetPolicy *policy, const char *host, int port, char *rule, size_t rule_size)
{
	Address		a;

	if (parse_address(host, &a))
		return permits(policy, host, &a, port, rule, rule_size);
	return permits_name(policy, host, port, rule, rule_size);
}

char *
wf_net_policy_refusal(const WfNetPolicy *policy, const char *host, const char *address, int port)
{
	char		rule[WF_NET_RULE_BYTES];
	Address		a;

	if (!parse_address(address, &a))
		return psprintf("\"%s\" is not an address", address);
	return permits(policy, host, &a, port, rule, sizeof(rule)) ? NULL : pstrdup(rule);
}

/* -- compiling -- */

/* A decimal number of at most 5 digits, all of the text; -1 when it is none. */
static int
small_number(const char *text)
{
	int			n = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -1;
	for (; *text != '\0'; text++)
	{
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
	}
	return n;
}

static bool
parse_block(Rule *rule, char *text, char **problem)
{
	char	   *slash = strchr(text, '/');
	int			most;
	uint8		mask;

	if (slash != NULL)
		*slash = '\0';
	if (!parse_address(text, &rule->address))
	{
		*problem = psprintf("\"%s\" is neither an address, a block of addresses, a host, nor a pattern of hosts", rule->text);
		return false;
	}
	rule->kind = RULE_BLOCK;
	most = rule->address.family == AF_INET ? 32 : 128;
	rule->bits = slash == NULL ? most : small_number(slash + 1);
	if (rule->bits < 0 || rule->bits > most)
	{
		*problem = psprintf("\"%s\" needs a number of bits from 0 to %d", rule->text, most);
		return false;
	}
	for (int i = 0; i < most / 8; i++)
	{
		mask = i < rule->bits / 8 ? 0 : i > rule->bits / 8 ? 0xff : 0xff >> (rule->bits % 8);
		if ((rule->address.bytes[i] & mask) != 0)
		{
			*problem = psprintf("\"%s\" has bits to the right of its mask", rule->text);
			return false;
		}
	}
	return true;
}

static bool
parse_host(Rule *rule, const char *text, char **problem)
{
	WfNetUrl	url;
	Address		ignored;
	char	   *why;
	const char *name = text;

	rule->kind = RULE_HOST;
	if (strcmp(text, "*") == 0)
	{
		rule->kind = RULE_ANY;
		return true;
	}
	if (strncmp(text, "*.", 2) == 0)
	{
		rule->kind = RULE_BELOW;
		name = text + 2;
	}
	if (strpbrk(name, "/?#@\\%:*") != NULL || !wf_net_url_parse(psprintf("http://%s/", name), NULL, WF_NET_HTTP, &url, &why))
	{
		*problem = psprintf("\"%s\" is neither an address, a block of addresses, a host, nor a pattern of hosts", rule->text);
		return false;
	}
	if (parse_address(url.host, &ignored))
	{
		*problem = psprintf("\"%s\" means the address %s: write it so", rule->text, url.host);
		return false;
	}
	rule->host = url.host;
	return true;
}

/* One rule: [block]:port, block, block:port, host, host:port. */
static bool
parse_rule(Rule *rule, char *text, char **problem)
{
	char	   *colon;
	char	   *end;
	char	   *port = NULL;

	rule->text = pstrdup(text);
	if (text[0] == '[')
	{
		text++;
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':') || strchr(text, ':') == NULL || strchr(text, ':') > end)
		{
			*problem = psprintf("\"%s\" is not \"[address]:port\"", rule->text);
			return false;
		}
		*end = '\0';
		if (end[1] == ':')
			port = end + 2;
	}
	else if ((colon = strchr(text, ':')) != NULL && strchr(colon + 1, ':') == NULL)
	{
		*colon = '\0';
		port = colon + 1;
	}
	if (port != NULL)
	{
		rule->port = small_number(port);
		if (rule->port < 1 || rule->port > 65535)
		{
			*problem = psprintf("\"%s\" has no port from 1 to 65535 behind its colon", rule->text);
			return false;
		}
	}
	if (strchr(text, ':') != NULL || strchr(text, '/') != NULL || text[strspn(text, "0123456789.")] == '\0')
		return parse_block(rule, text, problem);
	return parse_host(rule, text, problem);
}

static bool
parse_list(const char *source, RuleList *out, char **problem)
{
	char	   *text;
	char	   *next;

	if (source == NULL)
		return true;
	/* At most one rule for two characters. */
	out->rules = palloc0(sizeof(Rule) * (strlen(source) / 2 + 1));
	text = pstrdup(source);
	for (char *word = strtok_r(text, ", \t\r\n", &next); word != NULL; word = strtok_r(NULL, ", \t\r\n", &next))
	{
		if (!parse_rule(&out->rules[out->n], word, problem))
			return false;
		out->n++;
	}
	return true;
}

static char *
copy_or_empty(const char *text)
{
	return pstrdup(text == NULL ? "" : text);
}

WfNetPolicy *
wf_net_policy_create(const WfNetRules *rules, char **problem)
{
	WfNetPolicy *policy = palloc0(sizeof(WfNetPolicy));

	policy->source.allow = copy_or_empty(rules->allow);
	policy->source.deny = copy_or_empty(rules->deny);
	policy->source.tenant_allow = copy_or_empty(rules->tenant_allow);
	policy->source.tenant_deny = copy_or_empty(rules->tenant_deny);
	if (!parse_list(rules->allow, &policy->allow, problem) || !parse_list(rules->deny, &policy->deny, problem) ||
		!parse_list(rules->tenant_allow, &policy->tenant_allow, problem) ||
		!parse_list(rules->tenant_deny, &policy->tenant_deny, problem))
		return NULL;
	return policy;
}

/* What it was made of; no member is NULL. */
const WfNetRules *
wf_net_policy_rules(const WfNetPolicy *policy)
{
	return &policy->source;
}
