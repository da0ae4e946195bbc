# Runs verify.rb on every line of the vector file named as argument.
require_relative "verify"

good = total = 0
File.foreach(ARGV[0], chomp: true, encoding: "utf-8") do |line|
  name, id, timestamp, signature, body, secret, now, expected = line.split("\t", -1)
  headers = { "webhook-id" => id, "webhook-timestamp" => timestamp, "webhook-signature" => signature }
  headers.reject! { |_, value| value.empty? }
  total += 1
  if verify(headers, body.unpack1("m0"), secret, now: now.to_i) == (expected == "true")
    good += 1
  else
    puts "  mismatch: #{name}"
  end
end
puts "#{good} #{total}"
