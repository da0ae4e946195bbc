<?php
declare(strict_types=1);

/** Stores an order and publishes it. Returns the event's id and what became of it. */
function place_order(PDO $db, int $order, int $cents): array
{
    $db->beginTransaction();
    try {
        $db->prepare('INSERT INTO orders (id, total_cents) VALUES (?, ?) ON CONFLICT DO NOTHING')->execute([$order, $cents]);
        $publish = $db->prepare("SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => ARRAY[?], data => ?)");
        $publish->execute([(string) $order, json_encode(['order' => $order, 'total_cents' => $cents], JSON_THROW_ON_ERROR)]);
        $published = $publish->fetch(PDO::FETCH_NUM);
        if ($cents > 100_000) {
            throw new DomainException('an order of this size needs approval');
        }
        $db->commit();
        return $published;
    } catch (Throwable $error) {
        $db->rollBack();
        throw $error;
    }
}

$url = parse_url(getenv('DATABASE_URL'));
$db = new PDO("pgsql:host={$url['host']};port={$url['port']};dbname=" . ltrim($url['path'], '/'), $url['user'], $url['pass'], [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
]);
echo implode(' ', place_order($db, (int) $argv[1], (int) $argv[2])), "\n";
