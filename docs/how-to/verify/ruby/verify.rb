require "openssl"

# True if `body`, the raw bytes of the request, was signed with `secret` and is fresh.
def verify(headers, body, secret, tolerance: 300, now: Time.now.to_i)
  id = headers["webhook-id"].to_s
  timestamp = headers["webhook-timestamp"].to_s
  return false if id.empty? || !timestamp.match?(/\A[0-9]{1,12}\z/)
  return false if (now - timestamp.to_i).abs > tolerance

  key = secret.delete_prefix("whsec_").unpack1("m0")
  mac = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)
  expected = "v1," + [mac].pack("m0")
  candidates = headers["webhook-signature"].to_s.split(" ")
  candidates.map { |candidate| OpenSSL.secure_compare(expected, candidate) }.any?
end
