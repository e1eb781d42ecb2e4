-- shop.sql: a small outdoor shop: 200 customers, 80 products with their stock, a year of past orders,
-- and an inbox of 300 orders that nobody has looked at yet. The same rows each time: everything follows
-- from the number of the row.

CREATE TYPE loyalty_tier AS ENUM ('standard', 'silver', 'gold');
CREATE TYPE order_status AS ENUM ('accepted', 'packed', 'shipped', 'returned');

CREATE TABLE customers (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	email         text NOT NULL UNIQUE CHECK (email LIKE '%_@_%'),
	name          text NOT NULL,
	city          text NOT NULL,
	tier          loyalty_tier NOT NULL DEFAULT 'standard',
	card_ending   char(4) NOT NULL,
	card_expires  date NOT NULL,
	card_limit    numeric(10,2) NOT NULL CHECK (card_limit >= 0),
	joined_on     date NOT NULL
);

CREATE TABLE products (
	sku           text PRIMARY KEY CHECK (sku ~ '^[A-Z]{3}-[A-Z]{3}$'),
	name          text NOT NULL,
	price         numeric(10,2) NOT NULL CHECK (price > 0),
	weight_g      int NOT NULL CHECK (weight_g > 0)
);

CREATE TABLE inventory (
	sku           text PRIMARY KEY REFERENCES products,
	on_hand       int NOT NULL CHECK (on_hand >= 0),
	counted_at    timestamptz NOT NULL
);

CREATE TABLE orders (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	reference     text NOT NULL UNIQUE,
	customer_id   bigint NOT NULL REFERENCES customers,
	status        order_status NOT NULL DEFAULT 'accepted',
	discount      numeric(4,3) NOT NULL DEFAULT 0 CHECK (discount >= 0 AND discount < 1),
	placed_at     timestamptz NOT NULL
);
CREATE INDEX ON orders (customer_id);

CREATE TABLE order_items (
	order_id      bigint NOT NULL REFERENCES orders,
	sku           text NOT NULL REFERENCES products,
	qty           int NOT NULL CHECK (qty > 0),
	unit_price    numeric(10,2) NOT NULL,
	line_total    numeric(12,2) GENERATED ALWAYS AS (qty * unit_price) STORED,
	PRIMARY KEY (order_id, sku)
);

CREATE TABLE payments (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	order_id      bigint NOT NULL UNIQUE REFERENCES orders,
	card_ending   char(4) NOT NULL,
	amount        numeric(12,2) NOT NULL CHECK (amount > 0),
	paid_at       timestamptz NOT NULL
);

-- What customers sent, as they sent it.
CREATE TABLE inbox (
	id            int PRIMARY KEY,
	document      jsonb NOT NULL
);

-- 10 kinds of things in 8 models.
INSERT INTO products (sku, name, price, weight_g)
SELECT upper(left(kind, 3) || '-' || left(model, 3)), model || ' ' || lower(kind),
	   round(base + (m * 37 + k * 11) % 20 * base / 25) - 0.10, grams + (m * 53) % 9 * grams / 20
FROM (VALUES (1, 'Tent', 189.00, 2400), (2, 'Sleeping bag', 119.00, 1200), (3, 'Backpack', 89.00, 1100),
			 (4, 'Cooker', 49.00, 420), (5, 'Headlamp', 29.00, 90), (6, 'Bottle', 15.00, 180),
			 (7, 'Rope', 69.00, 2900), (8, 'Jacket', 139.00, 510), (9, 'Shoes', 99.00, 860),
			 (10, 'Lantern', 35.00, 240)) AS kinds (k, kind, base, grams),
	 (VALUES (1, 'Fjord'), (2, 'Alpine'), (3, 'Trail'), (4, 'Summit'), (5, 'River'), (6, 'Nomad'),
			 (7, 'Birch'), (8, 'Granite')) AS models (m, model)
ORDER BY k, m;

-- Of most there is plenty; every ninth thing is running out.
INSERT INTO inventory (sku, on_hand, counted_at)
SELECT sku, CASE WHEN n % 9 = 4 THEN 3 + n % 5 ELSE 24 + (n * 29) % 35 END, '2025-03-01 06:00+00'
FROM (SELECT sku, row_number() OVER (ORDER BY sku)::int AS n FROM products) AS p;

-- 20 first and 21 last names: 420 pairs, none twice.
INSERT INTO customers (email, name, city, tier, card_ending, card_expires, card_limit, joined_on)
SELECT lower(first || '.' || last) || '@example.com', first || ' ' || last, city,
	   (CASE WHEN i % 11 = 0 THEN 'gold' WHEN i % 5 = 0 THEN 'silver' ELSE 'standard' END)::loyalty_tier,
	   lpad(((i * 7919) % 10000)::text, 4, '0'),
	   CASE WHEN i % 23 = 7 THEN date '2024-11-30' ELSE date '2026-01-31' + (i * 17) % 40 * 30 END,
	   CASE WHEN i % 19 = 3 THEN 150 ELSE 1500 + (i * 13) % 10 * 250 END,
	   date '2021-01-04' + (i * 97) % 1500
FROM (SELECT i,
			 (ARRAY['Amara', 'Jonas', 'Mei', 'Lucia', 'Omar', 'Ingrid', 'Mateo', 'Priya', 'Tom', 'Aylin', 'Kofi',
					'Elena', 'Hugo', 'Sara', 'Yusuf', 'Nina', 'Pavel', 'Chloe', 'Ravi', 'Freya'])[i % 20 + 1] AS first,
			 (ARRAY['Okafor', 'Lindqvist', 'Chen', 'Romero', 'Haddad', 'Berg', 'Silva', 'Nair', 'Walker', 'Demir',
					'Mensah', 'Petrova', 'Laurent', 'Weiss', 'Karimi', 'Novak', 'Dvorak', 'Martin', 'Iyer', 'Olsen',
					'Fischer'])[i % 21 + 1] AS last,
			 (ARRAY['Berlin', 'Oslo', 'Lisbon', 'Lyon', 'Prague', 'Bergen', 'Porto', 'Vienna', 'Ghent', 'Turin',
					'Aarhus', 'Krakow', 'Graz'])[i % 13 + 1] AS city
	  FROM generate_series(1, 200) AS i) AS people
ORDER BY i;

-- A year of past orders, all paid.
INSERT INTO orders (reference, customer_id, status, placed_at)
SELECT 'W-' || 10000 + i, (i * 61) % 200 + 1,
	   (CASE WHEN i % 31 = 0 THEN 'returned' WHEN i > 190 THEN 'packed' ELSE 'shipped' END)::order_status,
	   timestamptz '2024-03-01 08:00+00' + i * interval '43 hours 17 minutes'
FROM generate_series(1, 200) AS i
ORDER BY i;

INSERT INTO order_items (order_id, sku, qty, unit_price)
SELECT o.id, p.sku, 1 + (o.id + line) % 3, p.price
FROM orders AS o
CROSS JOIN generate_series(0, 1) AS line
JOIN (SELECT sku, price, row_number() OVER (ORDER BY sku) AS n FROM products) AS p
  ON p.n = (o.id * 37 + line * 29) % 80 + 1
WHERE line = 0 OR o.id % 3 > 0;

INSERT INTO payments (order_id, card_ending, amount, paid_at)
SELECT o.id, c.card_ending, sum(i.line_total), o.placed_at
FROM orders AS o JOIN customers AS c ON c.id = o.customer_id JOIN order_items AS i ON i.order_id = o.id
GROUP BY o.id, c.card_ending, o.placed_at
ORDER BY o.id;

-- The shop's bank: it looks at every payment before it is stored, and refuses some.
CREATE FUNCTION authorise_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	card record;
BEGIN
	SELECT c.card_expires, c.card_limit INTO card
	FROM orders AS o JOIN customers AS c ON c.id = o.customer_id WHERE o.id = NEW.order_id;
	IF card.card_expires < NEW.paid_at::date THEN
		RAISE EXCEPTION 'card ending in % expired on %', NEW.card_ending, card.card_expires USING ERRCODE = 'P0402';
	ELSIF card.card_limit < NEW.amount THEN
		RAISE EXCEPTION 'card ending in % has a limit of %, not %', NEW.card_ending, card.card_limit, NEW.amount
			USING ERRCODE = 'P0402';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER authorise_payment BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION authorise_payment();

-- The inbox: one to three lines an order, some things more in demand than others. Now and then somebody
-- presses the button twice, mistypes an address, or sends nonsense.
INSERT INTO inbox (id, document)
SELECT i, jsonb_build_object(
		'reference', 'W-' || CASE WHEN i % 97 = 50 THEN 20000 + i - 1 ELSE 20000 + i END,
		'placedAt', to_char(timestamp '2025-03-03 07:00' + i * interval '4 minutes 7 seconds', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		'customer', CASE WHEN i % 83 = 20 THEN replace(c.email, '.com', '.con') ELSE c.email END,
		'items', CASE WHEN i % 113 = 70 THEN '[]'::jsonb ELSE lines.items END)
FROM generate_series(1, 300) AS i
JOIN customers AS c ON c.id = (i * 71 + i / 7) % 200 + 1
CROSS JOIN LATERAL (
	SELECT jsonb_agg(jsonb_build_object('sku', p.sku, 'qty', CASE WHEN i % 101 = 40 THEN -1 ELSE 1 + (i * 3 + p.n) % 7 / 3 END)
					 ORDER BY p.n) AS items
	FROM (SELECT sku, row_number() OVER (ORDER BY sku)::int AS n FROM products) AS p
	WHERE p.n IN (SELECT ((i * 37 + l * 23) % 80) * ((i * 11 + l * 5) % 80) / 80 + 1 FROM generate_series(0, i % 3) AS l)
) AS lines
ORDER BY i;
