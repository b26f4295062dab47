-- The shop of the demo ERP, for PostgreSQL: loaded after the ERP itself.
--
-- Three files, one for each engine, with the same rows: no random numbers and no
-- clock, only arithmetic on row numbers. "Now" is Friday 2026-11-20. Amounts are
-- whole numbers and quarters, so that no engine rounds them.

-- Tables ---------------------------------------------------------------------

CREATE TABLE tenants (
    id   INTEGER PRIMARY KEY,
    name VARCHAR(60) NOT NULL UNIQUE
);

CREATE TABLE categories (
    id        INTEGER PRIMARY KEY,
    parent_id INTEGER,
    title     VARCHAR(60) NOT NULL,
    CONSTRAINT categories_parent_fk FOREIGN KEY (parent_id) REFERENCES categories (id)
);

CREATE TABLE products (
    id          INTEGER PRIMARY KEY,
    sku         VARCHAR(20) NOT NULL UNIQUE,
    title       VARCHAR(80) NOT NULL,
    category_id INTEGER NOT NULL,
    price       NUMERIC(12,2) NOT NULL,
    CONSTRAINT products_category_fk FOREIGN KEY (category_id) REFERENCES categories (id)
);

CREATE TABLE customers (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    customer_no VARCHAR(12) NOT NULL UNIQUE,
    full_name   VARCHAR(80) NOT NULL,
    email       VARCHAR(120) NOT NULL,
    deleted_at  TIMESTAMP,
    CONSTRAINT customers_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

-- number counts the orders of a tenant without a gap; subtotal is the sum of the
-- lines, total is subtotal + tax - discount.
CREATE TABLE orders (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    status      VARCHAR(12) NOT NULL,
    currency    CHAR(3) NOT NULL,
    order_date  DATE NOT NULL,
    shipped_on  DATE,
    subtotal    NUMERIC(12,2) NOT NULL,
    tax         NUMERIC(12,2) NOT NULL,
    discount    NUMERIC(12,2) NOT NULL,
    total       NUMERIC(12,2) NOT NULL,
    CONSTRAINT orders_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id)
);

CREATE TABLE order_lines (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL,
    line_no    INTEGER NOT NULL,
    product_id INTEGER NOT NULL,
    quantity   INTEGER NOT NULL,
    unit_price NUMERIC(12,2) NOT NULL,
    currency   CHAR(3) NOT NULL,
    line_total NUMERIC(12,2) NOT NULL,
    CONSTRAINT order_lines_order_fk FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT order_lines_product_fk FOREIGN KEY (product_id) REFERENCES products (id)
);

CREATE TABLE payments (
    id        INTEGER PRIMARY KEY,
    order_id  INTEGER NOT NULL,
    reference VARCHAR(24) NOT NULL,
    amount    NUMERIC(12,2) NOT NULL,
    currency  CHAR(3) NOT NULL,
    paid_on   DATE NOT NULL,
    CONSTRAINT payments_order_fk FOREIGN KEY (order_id) REFERENCES orders (id)
);

-- What is there, and what of it is promised to orders that are paid.
CREATE TABLE stock_levels (
    product_id INTEGER NOT NULL,
    warehouse  INTEGER NOT NULL,
    on_hand    INTEGER NOT NULL,
    reserved   INTEGER NOT NULL,
    PRIMARY KEY (product_id, warehouse),
    CONSTRAINT stock_levels_product_fk FOREIGN KEY (product_id) REFERENCES products (id)
);

-- Every change of what is there. source_type and source_id name its cause; no
-- foreign key can hold them.
CREATE TABLE stock_movements (
    id          INTEGER PRIMARY KEY,
    product_id  INTEGER NOT NULL,
    warehouse   INTEGER NOT NULL,
    quantity    INTEGER NOT NULL,
    source_type VARCHAR(12) NOT NULL,
    source_id   INTEGER,
    moved_on    DATE NOT NULL,
    CONSTRAINT stock_movements_product_fk FOREIGN KEY (product_id) REFERENCES products (id)
);

-- Summaries, written by a nightly job: cancelled orders do not count.
CREATE TABLE daily_sales (
    sales_date  DATE NOT NULL,
    tenant_id   INTEGER NOT NULL,
    order_count INTEGER NOT NULL,
    revenue     NUMERIC(14,2) NOT NULL,
    PRIMARY KEY (sales_date, tenant_id),
    CONSTRAINT daily_sales_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE TABLE customer_totals (
    customer_id INTEGER PRIMARY KEY,
    order_count INTEGER NOT NULL,
    spent       NUMERIC(14,2) NOT NULL,
    CONSTRAINT customer_totals_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id)
);

-- Rows -----------------------------------------------------------------------

CREATE TEMP TABLE seed_n (n INTEGER PRIMARY KEY);
WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 600)
INSERT INTO seed_n (n) SELECT n FROM c;

INSERT INTO tenants (id, name) VALUES (1, 'Nordhaven Retail'), (2, 'Nordhaven Service'), (3, 'Nordhaven Marine');

INSERT INTO categories (id, parent_id, title) VALUES
    (1, NULL, 'All'), (2, 1, 'Tools'), (3, 1, 'Electrical'), (4, 1, 'Safety'), (5, 2, 'Hand tools'),
    (6, 2, 'Power tools'), (7, 3, 'Cable'), (8, 3, 'Lighting'), (9, 4, 'Gloves'), (10, 4, 'Harnesses'),
    (11, 6, 'Drills'), (12, 6, 'Saws');

INSERT INTO products (id, sku, title, category_id, price)
SELECT n, concat('SKU-', 1000 + n), concat('Article ', 1000 + n), 5 + n % 8, 4 + n * 13 % 90
  FROM seed_n WHERE n <= 80;

INSERT INTO customers (id, tenant_id, customer_no, full_name, email, deleted_at)
SELECT n, 1 + n % 3, concat('C-', 5000 + n), concat('Customer ', 5000 + n),
       concat('buyer', 5000 + n, '@customer.example'),
       CASE WHEN n % 40 = 0 THEN '2026-09-30 18:00:00' END::timestamp
  FROM seed_n WHERE n <= 120;

-- Deleted customers (40, 80, 120) have only orders that are done.
INSERT INTO orders (id, tenant_id, number, customer_id, status, currency, order_date, shipped_on,
                    subtotal, tax, discount, total)
SELECT o.n, o.tenant_id, ROW_NUMBER() OVER (PARTITION BY o.tenant_id ORDER BY o.n), o.customer_id, o.status,
       CASE WHEN o.tenant_id = 3 THEN 'EUR' ELSE 'CHF' END,
       concat('2026-', o.month, '-', 10 + o.n * 7 % 8)::date,
       CASE WHEN o.status IN ('shipped', 'delivered') THEN concat('2026-', o.month, '-', 12 + o.n * 7 % 8)::date END,
       s.subtotal, s.subtotal * 0.25, o.discount, s.subtotal * 1.25 - o.discount
  FROM (SELECT c.n, c.customer_id, CASE WHEN c.n % 7 = 0 THEN 5 ELSE 0 END AS discount, 1 + c.customer_id % 3 AS tenant_id,
               CASE WHEN c.n % 5 < 2 THEN '09' WHEN c.n % 5 = 2 THEN '10' ELSE '11' END AS month,
               CASE WHEN c.customer_id % 40 = 0 THEN 'delivered' WHEN c.n % 10 = 0 THEN 'cancelled'
                    WHEN c.n % 10 <= 5 THEN 'delivered' WHEN c.n % 10 <= 7 THEN 'shipped'
                    WHEN c.n % 10 = 8 THEN 'paid' ELSE 'new' END AS status
          FROM (SELECT n, 1 + n * 7 % 120 AS customer_id FROM seed_n WHERE n <= 600) c) o
  JOIN (SELECT q.n, SUM((1 + (q.n + l.n) % 5) * p.price) AS subtotal
          FROM seed_n q
          JOIN seed_n l ON l.n <= 1 + q.n % 3
          JOIN products p ON p.id = 1 + (q.n * 11 + l.n * 17) % 80
         GROUP BY q.n) s ON s.n = o.n
 ORDER BY o.n;

INSERT INTO order_lines (id, order_id, line_no, product_id, quantity, unit_price, currency, line_total)
SELECT o.id * 10 + l.n, o.id, l.n, p.id, 1 + (o.id + l.n) % 5, p.price, o.currency, (1 + (o.id + l.n) % 5) * p.price
  FROM orders o
  JOIN seed_n l ON l.n <= 1 + o.id % 3
  JOIN products p ON p.id = 1 + (o.id * 11 + l.n * 17) % 80;

INSERT INTO payments (id, order_id, reference, amount, currency, paid_on)
SELECT o.id, o.id, concat('PAY-', 900000 + o.id), o.total, o.currency, o.order_date
  FROM orders o WHERE o.status IN ('paid', 'shipped', 'delivered');

INSERT INTO stock_movements (id, product_id, warehouse, quantity, source_type, source_id, moved_on)
SELECT p.id * 2 + w.n, p.id, w.n, 60 + p.id % 7 * 10, 'opening', NULL, '2026-08-31'
  FROM products p JOIN seed_n w ON w.n <= 2;

INSERT INTO stock_movements (id, product_id, warehouse, quantity, source_type, source_id, moved_on)
SELECT 10000 + l.id, l.product_id, 1 + o.id % 2, -l.quantity, 'order_line', l.id, o.shipped_on
  FROM order_lines l JOIN orders o ON o.id = l.order_id
 WHERE o.status IN ('shipped', 'delivered');

INSERT INTO stock_levels (product_id, warehouse, on_hand, reserved)
SELECT m.product_id, m.warehouse, SUM(m.quantity),
       COALESCE((SELECT SUM(l.quantity) FROM order_lines l JOIN orders o ON o.id = l.order_id
                  WHERE o.status = 'paid' AND l.product_id = m.product_id AND 1 + o.id % 2 = m.warehouse), 0)
  FROM stock_movements m
 GROUP BY m.product_id, m.warehouse;

INSERT INTO daily_sales (sales_date, tenant_id, order_count, revenue)
SELECT order_date, tenant_id, COUNT(*), SUM(total) FROM orders WHERE status <> 'cancelled'
 GROUP BY order_date, tenant_id;

INSERT INTO customer_totals (customer_id, order_count, spent)
SELECT customer_id, COUNT(*), SUM(total) FROM orders WHERE status <> 'cancelled' GROUP BY customer_id;

DROP TABLE seed_n;

-- Indexes --------------------------------------------------------------------

-- Foreign keys of the ERP that had no index yet.
CREATE INDEX ix_employees_department ON employees (department_id);
CREATE INDEX ix_projects_lead ON projects (lead_id);

CREATE INDEX ix_categories_parent ON categories (parent_id);
CREATE INDEX ix_products_category ON products (category_id);
CREATE INDEX ix_customers_tenant ON customers (tenant_id);
CREATE INDEX ix_customers_email ON customers (email);
CREATE UNIQUE INDEX ux_orders_number ON orders (tenant_id, number);
CREATE INDEX ix_orders_customer ON orders (customer_id);
CREATE INDEX ix_orders_status ON orders (status, order_date);
CREATE UNIQUE INDEX ux_order_lines_line ON order_lines (order_id, line_no);
CREATE INDEX ix_order_lines_product ON order_lines (product_id);
CREATE INDEX ix_payments_order ON payments (order_id);
CREATE INDEX ix_stock_movements_product ON stock_movements (product_id, warehouse);
CREATE INDEX ix_stock_movements_source ON stock_movements (source_type, source_id);
CREATE INDEX ix_daily_sales_tenant ON daily_sales (tenant_id);
